"""Reads one logged start from a row of a JSON file, with the engine that the row describes.

Every field may be missing. A missing field takes vLLM's default; an unreadable one raises `UnknownStartError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.catalog.config_json import parse
from llm_d_gke.catalog.config_quantization import from_modelopt_file
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.errors import ConfigError
from llm_d_gke.catalog.schema import Accelerator, AttentionKind, DraftLayers, Model
from llm_d_gke.planning.engine_support.deployment import Deployment, default_dtype
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run, judge
from llm_d_gke.planning.sizing.speculation import WITHOUT_LAYERS, shares_blocks
from llm_d_gke.quantities import TOKEN_UNITS

Row = Mapping[str, Any]

# Methods that vLLM applies to a checkpoint that is not quantized.
_ON_LOADING = ("fp8", "bitsandbytes")
# Words for a setting that keeps its default.
_DEFAULT = ("", "auto", "default", "none", "null", "n/a", "-", "\N{EM DASH}")

# Cards of these compute capabilities are joined by NVLink in the machines that are sold, unless they are small.
_NVLINK = (8.0, 9.0, 10.0, 10.3)
_NVLINK_GIB = 30
_CAPABILITIES = range(3, 20)  # of CUDA, the numbers before the point

# As vLLM and torch spell them.
_DTYPES = {
    **dict.fromkeys(("half", "float16", "fp16"), "half"),
    **dict.fromkeys(("bfloat16", "bf16"), "bfloat16"),
    **dict.fromkeys(("float", "float32", "fp32"), "float32"),
}
_CACHE_BYTES_KNOWN = (
    *("bfloat16", "float16", "half", "fp8", "fp8_e4m3", "fp8_e5m2", "fp8_inc", "fp8_ds_mla"),
    *("nvfp4", "nvfp4_4over6", "nvfp4_ds_mla", "fp8_per_token_head", "int8_per_token_head", "int4_per_token_head"),
    *("turboquant_k8v4", "turboquant_4bit_nc", "turboquant_k3v4_nc", "turboquant_3bit_nc"),
)
# Values of --max-model-len with which vLLM fits the length to the memory.
_FITTED = ("auto", "-1")
# A number with its unit, or with a letter as vLLM takes it (engine/arg_utils.py, human_readable_int).
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf|nan)\s*(?:Gi?B|([kKmMgG]))?\s*")
# Group of starts in a guest of Windows.
UNDER_WINDOWS = "under WSL"
_LEAST_RANK = 16  # vLLM's default for adapters
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class UnknownStartError(Exception):
    """The reason why a row gets no verdict."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """The memory of a row's engine, and the settings that decide whether it runs the model at all."""

    run: EngineRun
    deployment: Deployment


def start_of(row: Row, folder: Path) -> Start:
    """The start of a row. `folder`: what paths of config.json files are relative to. Raises UnknownStartError."""
    model = _model(row, folder)
    version = _version(row)
    accelerator = _accelerator(row)
    quantization = _quantization(row, model)
    options = replace(
        _options(row, model, accelerator, version),
        dtype=_dtype(row) or default_dtype(model, accelerator, version),
        quantization=quantization if quantization in _ON_LOADING else None,
    )
    run = engine_run(model, accelerator, version, options)
    if run is None:
        raise UnknownStartError(
            "how this version of the TPU back end lays out layers that keep a state was not read"
            if model.recurrent
            else "no log shows how much memory vLLM sees on this accelerator"
        )
    if str(row.get("maxModelLen")).strip().lower() in _FITTED:
        # The engine takes the longest request that fits.
        run = replace(run, max_model_len=max(1, judge(run).longest))
    return Start(
        run=run,
        deployment=Deployment(
            model=model,
            accelerator=accelerator,
            version=version,
            dtype=options.dtype,
            quantization=options.quantization if model.quantization is None else None,
            kv_cache_dtype=run.kv_cache_dtype,
            tensor_parallel=options.tensor_parallel,
            data_parallel=options.data_parallel,
            expert_parallel=options.expert_parallel,
        ),
    )


def _options(row: Row, model: Model, accelerator: Accelerator, version: str) -> EngineOptions:
    """The engine's options apart from the types of weights."""
    tokens = _integer(row, "speculativeTokens") or 0
    draft_model = _draft_model(row, model) if tokens else None
    caching = _flag(row, "prefixCaching")
    return EngineOptions(
        max_model_len=_length(row),
        utilization=_share(row),
        max_num_seqs=_integer(row, "maxNumSeqs"),
        max_num_batched_tokens=_integer(row, "maxNumBatchedTokens"),
        tensor_parallel=_integer(row, "tensorParallel") or 1,
        pipeline_parallel=min(_integer(row, "pipelineParallel") or 1, model.layers),
        data_parallel=_integer(row, "dataParallel") or 1,
        context_parallel=_integer(row, "contextParallel") or 1,
        expert_parallel=_experts(row),
        kv_cache_dtype=_cache_dtype(row),
        prefix_caching=_caches_prefixes(version, recurrent=model.recurrent) if caching is None else caching,
        enforce_eager=bool(_flag(row, "eager")),
        asynchronous=_flag(row, "asyncScheduling") is not False,
        compiled=bool(_flag(row, "compiled")),
        flashinfer_sampler=bool(_flag(row, "flashinferSampler")),
        model_runner_v2=_second_runner(row),
        text_only=bool(_flag(row, "textOnly")),
        image_pixels=_integer(row, "imagePixels"),
        whole_tower=bool(_flag(row, "wholeTower")),
        video=_flag(row, "video") is not False,
        speculative_tokens=tokens,
        draft=_draft_layers(row, model, tokens) if draft_model is None else None,
        draft_model=draft_model,
        lora_slots=_integer(row, "maxLoras") or 0,
        lora_rank=max(_LEAST_RANK, _integer(row, "maxLoraRank") or _LEAST_RANK),
        block_size=_integer(row, "blockSize") if not model.recurrent else None,
        others_gib=_others(row, accelerator),
        least_error_gib=load_engine().errors.windows_gib if row.get("group") == UNDER_WINDOWS else 0.0,
    )


def _caches_prefixes(version: str, *, recurrent: bool) -> bool:
    """vLLM's default: on, and where layers keep a state only in newer versions."""
    engine = load_engine()
    return not recurrent or engine.has(version, engine.recurrent_models.prefix_caching_since)


def _version(row: Row) -> str:
    version = _text(row, "version")
    if version is None:
        raise UnknownStartError("the row names no version of vLLM")
    version = version.strip().removeprefix("v")
    if not version[:1].isdigit() or "." not in version:
        raise UnknownStartError(f"version is {version}, which is no release of vLLM, such as 0.26.0")
    if version.startswith("0.1.dev"):
        raise UnknownStartError(f"version is {version}: a build between releases does not say after which")
    return version


def _quantization(row: Row, model: Model) -> str | None:
    text = _text(row, "quantization")
    method = text.strip().lower() if text is not None else None
    if method is None:
        return None
    if model.quantization is None and method not in _ON_LOADING:
        raise UnknownStartError(f"the start was quantized by {text}, which the model's configuration does not describe")
    return method


def _dtype(row: Row) -> str | None:
    spelling = (_text(row, "dtype") or "").strip().lower().removeprefix("torch.")
    if not spelling:
        return None
    if spelling not in _DTYPES:
        raise UnknownStartError(f"dtype is {spelling}, which is none of auto, half, float16, bfloat16 and float32")
    return _DTYPES[spelling]


def _cache_dtype(row: Row) -> str | None:
    spelling = (_text(row, "kvCacheDtype") or "").strip().lower().removeprefix("torch.")
    if not spelling:
        return None
    if spelling not in _CACHE_BYTES_KNOWN:
        raise UnknownStartError(f"kvCacheDtype is {spelling}: how much a token takes then is not known")
    return "float16" if spelling == "half" else spelling


def _share(row: Row) -> float | None:
    share = _number(row, "gpuMemoryUtilization")
    if share is not None and share > 1:
        raise UnknownStartError(f"gpuMemoryUtilization is {share}, and vLLM takes a share of at most 1")
    return share


def _others(row: Row, accelerator: Accelerator) -> float:
    """GiB that other processes use: what is missing at the start beside this one's own CUDA context."""
    free, total = _number(row, "freeGib"), accelerator.usable_gib
    if free is None or total is None:
        return 0.0
    return max(0.0, total - free - load_engine().model_runner_v2.context_gib)


def _length(row: Row) -> int | None:
    return None if str(row.get("maxModelLen")).strip().lower() in _FITTED else _integer(row, "maxModelLen")


def _experts(row: Row) -> bool:
    """A flag, or the number of ranks that share the experts."""
    value = row.get("expertParallel")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value > 1
    return bool(_flag(row, "expertParallel"))


def _flag(row: Row, name: str) -> bool | None:
    value = _stated(row, name)
    if value is None or isinstance(value, bool):
        return value
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise UnknownStartError(f"{name} is {_short(value)}, where true or false belongs")
    return flag


def _second_runner(row: Row) -> bool | None:
    text = _text(row, "modelRunner")
    if text is None:
        return None
    number = text.strip().lower().removeprefix("v")
    if number not in ("1", "2"):
        raise UnknownStartError(f"modelRunner is {_short(text)}, where 1 or 2 belongs")
    return number == "2"


def _draft_layers(row: Row, model: Model, tokens: int) -> DraftLayers | None:
    """The checkpoint's own prediction layers, or one layer as heads of EAGLE have. None for guesses from the text."""
    if not tokens or _text(row, "draftModel") in WITHOUT_LAYERS:
        return None
    kind: AttentionKind = "mla" if model.mla is not None else "full"
    head = DraftLayers(layers=1, experts=False, attention=kind, separate=True)
    return model.draft or head.model_copy(update={"vocabulary": _integer(row, "draftVocabulary") or head.vocabulary})


def _draft_model(row: Row, model: Model) -> Model | None:
    """The separate model that guesses. None where the row names none, or the checkpoint itself."""
    name = _text(row, "draftModel")
    if name is None or name in (*WITHOUT_LAYERS, _text(row, "model")):
        return None
    draft = catalog.load().find_model(name)
    if draft is None:
        raise UnknownStartError(f"the catalog has no draft model {name}")
    if not shares_blocks(model, draft):
        raise UnknownStartError(f"how the KV cache of {name} is laid out beside the model's is not known")
    return draft


def _model(row: Row, folder: Path) -> Model:
    config = _stated(row, "config")
    name = _text(row, "model") or "(unnamed)"
    if config is None:
        entry = catalog.load().find_model(name)
        if entry is None:
            raise UnknownStartError(f"the catalog has no model {name}, and the row names no config.json")
        return entry
    separate = None
    if isinstance(config, Mapping):
        document: Any = config
    else:
        document, separate = _read(_located(str(config), folder))
    if not isinstance(document, Mapping):
        raise UnknownStartError(f"{config} is not a model's config.json")
    try:
        quantization = from_modelopt_file(separate) if separate is not None else None
        parsed = parse(name, document, quantization=quantization)
    except ConfigError as error:
        raise UnknownStartError(str(error)) from None
    entry = catalog.load().find_model(name)
    # Established by a test. No configuration file contains it.
    return parsed.model_copy(update={"tpu_tested": entry.tpu_tested}) if entry is not None else parsed


def _located(config: str, folder: Path) -> Path:
    for path in (Path(config), folder / config):
        with suppress(OSError, ValueError):  # no name that a file may have
            if path.is_dir():
                path = path / "config.json"
            if path.is_file():
                return path
    raise UnknownStartError(f"there is no file {_short(config)}, neither here nor beside the rows")


def _read(path: Path) -> tuple[Any, Any]:
    """A config.json, and the hf_quant_config.json beside it, also where both carry a model's name before their own."""
    beside = path.with_name(path.name.replace("config.json", "hf_quant_config.json"))
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        separate = json.loads(beside.read_text(encoding="utf-8")) if beside != path and beside.is_file() else None
    except (OSError, ValueError) as error:
        raise UnknownStartError(f"{path.name} cannot be read: {error}") from None
    return document, separate


def _accelerator(row: Row) -> Accelerator:
    accelerator = row.get("accelerator")
    fields: dict[str, Any] = {**(accelerator if isinstance(accelerator, Mapping) else {})}
    name = accelerator if isinstance(accelerator, str) else fields.get("name")
    for key in ("memory_gib", "memoryGib", "capability", "interconnect"):
        if row.get(key) is not None:
            fields[key] = row[key]
    memory = _number(fields, "memory_gib") or _number(fields, "memoryGib")
    entry = catalog.load().accelerators.get(str(name)) if name is not None else None
    if entry is not None:
        return entry if memory is None else entry.model_copy(update={"usable_gib": memory})
    if memory is None:
        raise UnknownStartError(
            f"the catalog has no accelerator {name or '(unnamed)'}, and the row gives no memory_gib"
        )
    if str(name or "").lower().startswith("tpu"):
        raise UnknownStartError(f"the catalog has no accelerator {name}, and memory alone does not describe a TPU")
    capability = _number(fields, "capability")
    if capability is not None and int(capability) not in _CAPABILITIES:
        raise UnknownStartError(f"capability is {capability}, which is no compute capability, such as 8.9")
    joined = (_text(fields, "interconnect") or "").strip().lower() or (
        "nvlink" if capability in _NVLINK and memory > _NVLINK_GIB else "pcie"
    )
    if joined not in ("nvlink", "pcie"):
        raise UnknownStartError(f"interconnect is {joined!r}, which is neither nvlink nor pcie")
    # The catalog's kind decides what is asked of it: any entry serves, with the figures that memory depends on.
    like = catalog.load().accelerators["nvidia-h100-80gb" if joined == "nvlink" else "nvidia-l4"]
    return like.model_copy(
        update={
            "usable_gib": memory,
            "compute_capability": capability,
            "bf16": capability is None or capability >= 8.0,
            "fp8": capability is None or capability >= 8.9,
            "title": str(name or "this card"),
        }
    )


def _stated(row: Row, name: str) -> Any:
    """A field's value. None where it is missing, or says that the default holds."""
    value = row.get(name)
    return None if isinstance(value, str) and value.strip().lower() in _DEFAULT else value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _text(row: Row, name: str) -> str | None:
    value = _stated(row, name)
    if value is None:
        return None
    if not isinstance(value, str | int | float):
        raise UnknownStartError(f"{name} is no text")
    return str(value)


def _number(row: Row, name: str) -> float | None:
    value = _stated(row, name)
    if value is None:
        return None
    written = _NUMBER.fullmatch(str(value).replace(",", ""))
    if written is None:
        raise UnknownStartError(f"{name} is {_short(value)}, where a number belongs")
    number = float(written[1]) * TOKEN_UNITS[written[2] or ""]
    if not 0 < number < 1e15:
        return None if number == 0 else _refuse(name, value)
    return number


def _refuse(name: str, value: object) -> float:
    raise UnknownStartError(f"{name} is {_short(value)}, where a positive number belongs")


def _integer(row: Row, name: str) -> int | None:
    number = _number(row, name)
    if number is not None and number != int(number):
        raise UnknownStartError(f"{name} is {number}, where a whole number belongs")
    return None if number is None else int(number)


def logged(row: Row, name: str) -> float | None:
    """A figure that the log states. Of several ranks' the largest: that rank decides."""
    value = row.get(name)
    if isinstance(value, list):
        numbers = [logged({name: item}, name) for item in value]
        return max((number for number in numbers if number is not None), default=None)
    if isinstance(value, str) and "/" in value:
        return logged({name: value.split("/")}, name)
    try:
        return _number(row, name)
    except UnknownStartError:
        return None
