"""Reads one logged start from a row of a JSON file, with the engine that the row describes.

Every field may be missing. A missing field takes vLLM's default; an unreadable one raises `UnknownStartError`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import catalog
from catalog.config_json import parse
from catalog.config_quantization import from_modelopt_file
from catalog.errors import ConfigError
from catalog.schema import Accelerator, DraftLayers, Model
from planning.sizing.memory import EngineRun, engine_run

Row = Mapping[str, Any]

# Methods that vLLM applies to a checkpoint that is not quantized.
_ON_LOADING = ("fp8", "bitsandbytes")

# GiB above which cards of these compute capabilities are joined by NVLink in the machines that are sold.
_NVLINK = {8.0: 0.0, 9.0: 0.0, 10.0: 0.0, 10.3: 0.0}


class UnknownStartError(Exception):
    """The reason why a row gets no verdict."""


def run_of(row: Row, folder: Path) -> EngineRun:
    """The engine of a row. `folder`: what paths of config.json files are relative to. Raises UnknownStartError."""
    model = _model(row, folder)
    version = _text(row, "version")
    if version is None:
        raise UnknownStartError("the row names no version of vLLM")
    quantization = _text(row, "quantization")
    if model.quantization is None and quantization not in (None, "none", "None", "auto", "—", *_ON_LOADING):
        raise UnknownStartError(
            f"the start was quantized by {quantization}, which the model's configuration does not describe"
        )
    tokens = _integer(row, "speculativeTokens") or 0
    caching = row.get("prefixCaching")
    recurrent = any(group.kind in ("linear", "mamba") for group in model.attention)
    run = engine_run(
        model,
        _accelerator(row),
        version.removeprefix("v"),
        max_model_len=_integer(row, "maxModelLen"),
        utilization=_number(row, "gpuMemoryUtilization"),
        max_num_seqs=_integer(row, "maxNumSeqs"),
        max_num_batched_tokens=_integer(row, "maxNumBatchedTokens"),
        tensor_parallel=_integer(row, "tensorParallel") or 1,
        pipeline_parallel=min(_integer(row, "pipelineParallel") or 1, model.layers),
        data_parallel=_integer(row, "dataParallel") or 1,
        expert_parallel=bool(row.get("expertParallel")),
        dtype=_text(row, "dtype"),
        quantization=quantization if quantization in _ON_LOADING else None,
        kv_cache_dtype=_text(row, "kvCacheDtype"),
        # vLLM switches prefix caching on, except where layers keep a state.
        prefix_caching=bool(caching) if caching is not None else not recurrent,
        enforce_eager=bool(row.get("eager")),
        text_only=bool(row.get("textOnly")),
        speculative_tokens=tokens,
        # A draft model is not described by a row: the checkpoint's own prediction layers, or one layer as EAGLE has.
        draft=(model.draft or DraftLayers(layers=1, experts=False, attention=_usual(model))) if tokens else None,
        block_size=_integer(row, "blockSize") if not recurrent else None,
    )
    if run is None:
        raise UnknownStartError(
            "how this version of the TPU back end lays out layers that keep a state was not read"
            if recurrent
            else "no log shows how much memory vLLM sees on this accelerator"
        )
    return run


def _usual(model: Model) -> Any:
    return "mla" if model.mla is not None else "full"


def _model(row: Row, folder: Path) -> Model:
    config = row.get("config")
    name = _text(row, "model") or "(unnamed)"
    if config is None or config == "":
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
        if path.is_dir():
            path = path / "config.json"
        if path.is_file():
            return path
    raise UnknownStartError(f"there is no file {config}, neither here nor beside the rows")


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
    capability = _number(fields, "capability")
    if memory is None:
        raise UnknownStartError(
            f"the catalog has no accelerator {name or '(unnamed)'}, and the row gives no memory_gib"
        )
    joined = fields.get("interconnect") or ("nvlink" if capability in _NVLINK and memory > 30 else "pcie")
    # Based on any entry of the kind, because its class defines the fields. Memory-related figures are replaced.
    like = catalog.load().accelerators["nvidia-h100-80gb" if joined == "nvlink" else "nvidia-l4"]
    changes = {"usable_gib": memory, "compute_capability": capability, "title": str(name or "this card")}
    return like.model_copy(update=changes)


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str | int | float):
        raise UnknownStartError(f"{name} is no text")
    return str(value)


def _number(row: Row, name: str) -> float | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        number = float(str(value).replace(",", ""))
    except ValueError:
        raise UnknownStartError(f"{name} is {value!r}, where a number belongs") from None
    if not 0 < number < 1e15:
        return None if number == 0 else _refuse(name, value)
    return number


def _refuse(name: str, value: object) -> float:
    raise UnknownStartError(f"{name} is {value!r}, where a positive number belongs")


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
