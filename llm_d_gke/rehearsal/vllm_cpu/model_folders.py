"""Writes the tiny models of a stack, and their adapters, to its folder. The node agent reads where they are."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.planning.serving.custom_models import with_own_models
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.vllm_cpu import tiny_model
from llm_d_gke.rehearsal.vllm_cpu.arguments import ServedModel
from llm_d_gke.rehearsal.vllm_cpu.environment import EngineEnvironment
from llm_d_gke.rehearsal.vllm_cpu.tiny_model import NoTinyModelError
from llm_d_gke.rehearsal.vllm_cpu.versions import block_multiple
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.models import AdapterSettings
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig
from llm_d_gke.stackfile.model_files import model_files

# Where the plan estimates none.
_BLOCK_SIZE: Final = 16
_TOKENS: Final = 65_536
# VLLM_CPU_KVCACHE_SPACE counts whole GiB. Nothing is taken before it is written to.
KV_CACHE_GIB: Final = 1
# What the vocabulary is learned from, besides a few sentences: the project's own English.
_TEXTS: Final = ("README.md", "docs/architecture.md", "docs/operations.md", "docs/pitfalls.md", "docs/rehearsal.md")
_SCRIPT: Final = Path(__file__).with_name("tokenizer.py")


@dataclass(frozen=True)
class TinyModel:
    """A model of the plan with the catalog's entry that its tiny model follows."""

    plan: ModelPlan
    entry: Model
    adapters: tuple[AdapterSettings, ...]


def tiny_models(plan: StackPlan, configuration: StackConfig) -> list[TinyModel]:
    """Every model of the plan with its entry. Raises NoTinyModelError for one without, or without a tiny model."""
    values = configuration.settings()
    settings = StackSettings.model_validate(values, by_alias=True, by_name=False)
    catalog = with_own_models(load_catalog(), settings, model_files(values), Findings())
    tiny_models = []
    for model, model_settings in zip(plan.models, settings.models, strict=True):
        entry = catalog.find_model(model.id)
        if entry is None:
            raise NoTinyModelError(
                f"{model.id}: the catalog does not know its architecture; give models[].config with the path of its"
                " config.json, or leave --engine vllm out"
            )
        tiny_model.config(entry)
        tiny_models.append(TinyModel(model, entry, model_settings.adapters))
    return tiny_models


def write_models(paths: StackPaths, models: list[TinyModel], environment: EngineEnvironment) -> None:
    """Write one folder for each model, and the index of them by every name that a command line may give."""
    file = paths.engine_models / "index.json"
    # Another stack of the cluster may have models here.
    index: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for model in models:
        served = _write(paths.engine_models / model.plan.key, model, environment)
        record = {**asdict(served), "folder": str(served.folder)}
        record["adapters"] = {name: str(folder) for name, folder in served.adapters.items()}
        index |= dict.fromkeys((model.plan.id, model.plan.served_name), record)
    file.write_text(json.dumps(index, indent=1), encoding="utf-8")


def read_models(paths: StackPaths) -> dict[str, ServedModel]:
    """The tiny models by id and served name. Empty where none were written."""
    try:
        index = json.loads((paths.engine_models / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: _read(record) for name, record in index.items()}


def _read(record: Mapping[str, Any]) -> ServedModel:
    adapters = {name: Path(folder) for name, folder in record["adapters"].items()}
    return ServedModel(**{**record, "folder": Path(record["folder"]), "adapters": adapters})


def _write(folder: Path, model: TinyModel, environment: EngineEnvironment) -> ServedModel:
    folder.mkdir(parents=True, exist_ok=True)
    _dump(folder / "config.json", tiny_model.config(model.entry))
    _dump(folder / "tokenizer_config.json", tiny_model.tokenizer_config(model.entry))
    _write_tokenizer(folder, tiny_model.tokenizer_kind(model.entry), environment)
    expected = model.plan.servers[0].latency
    block_size = _BLOCK_SIZE if expected is None else expected["block_size"]
    largest = KV_CACHE_GIB * 2**30 // (tiny_model.bytes_per_token(model.entry) * block_size)
    # A request of full length must fit, or vLLM does not start.
    least = -(-min(model.entry.context, largest * block_size) // block_size) + 1
    blocks = _TOKENS // block_size if expected is None else expected["kv_cache_blocks"]
    return ServedModel(
        folder=folder,
        name=model.plan.served_name,
        block_size=block_size,
        blocks=min(max(blocks, least), largest),
        adapters={adapter.name: _write_adapter(folder, adapter, model) for adapter in model.adapters},
        block_multiple=block_multiple(environment.version),
    )


def _write_tokenizer(folder: Path, kind: str, environment: EngineEnvironment) -> None:
    """Write tokenizer.json, trained once for each kind, text and environment: training takes seconds of a processor."""
    texts = [PROJECT_ROOT / name for name in _TEXTS if (PROJECT_ROOT / name).exists()]
    digest = hashlib.sha256(f"{kind} {tiny_model.VOCABULARY}".encode())
    for file in (_SCRIPT, *texts):
        digest.update(file.read_bytes())
    trained = environment.home / "tokenizers" / digest.hexdigest()[:16]
    if not (trained / "tokenizer.json").exists():
        # Trained elsewhere and moved: another command may train the same one.
        with tempfile.TemporaryDirectory(dir=environment.home) as own:
            words = [str(environment.python), str(_SCRIPT), own, kind, str(tiny_model.VOCABULARY)]
            subprocess.run([*words, *map(str, texts)], check=True)
            trained.mkdir(parents=True, exist_ok=True)
            (Path(own) / "tokenizer.json").replace(trained / "tokenizer.json")
    shutil.copyfile(trained / "tokenizer.json", folder / "tokenizer.json")


def _write_adapter(folder: Path, adapter: AdapterSettings, model: TinyModel) -> Path:
    """A LoRA adapter of the attention's output, with weights that are the same in every run."""
    target = folder / "adapters" / adapter.name.replace("/", "--")
    target.mkdir(parents=True, exist_ok=True)
    _dump(target / "adapter_config.json", tiny_model.adapter_config(model.plan.id, adapter.rank))
    width = tiny_model.HEADS * tiny_model.HEAD_DIM
    tensors: dict[str, tuple[int, int]] = {}
    for layer in range(tiny_model.LAYERS):
        module = f"base_model.model.model.layers.{layer}.self_attn.o_proj"
        tensors[f"{module}.lora_A.weight"] = (adapter.rank, width)
        tensors[f"{module}.lora_B.weight"] = (tiny_model.HIDDEN, adapter.rank)
    (target / "adapter_model.safetensors").write_bytes(_safetensors(tensors, random.Random(adapter.name)))  # noqa: S311
    return target


def _safetensors(shapes: Mapping[str, tuple[int, int]], source: random.Random) -> bytes:
    """The file format of Hugging Face's safetensors: length, header in JSON, numbers in float32."""
    header: dict[str, Any] = {}
    body = b""
    for name, (rows, columns) in shapes.items():
        numbers = struct.pack(f"<{rows * columns}f", *(source.uniform(-1.0, 1.0) for _ in range(rows * columns)))
        header[name] = {"dtype": "F32", "shape": [rows, columns], "data_offsets": [len(body), len(body) + len(numbers)]}
        body += numbers
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def _dump(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
