"""A second reading of the engines' tables: what their files refuse, the planner refuses too.

For models of the catalog, and for configurations of models that are not in it.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_d_gke.catalog import load
from llm_d_gke.catalog.config_json import parse
from llm_d_gke.catalog.engine_tables import load_facts, versions
from llm_d_gke.catalog.errors import ConfigError
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.catalog.schema import Accelerator, Model
from llm_d_gke.maintenance.engine_facts.random_models import models
from llm_d_gke.planning import RefusedError, plan_raw
from llm_d_gke.planning.engine_support.deployment import Deployment
from llm_d_gke.planning.engine_support.options import option_value
from llm_d_gke.planning.engine_support.refusals import refusals_of
from llm_d_gke.stackfile.model_files import ModelFile
from tests.stacks import ENCRYPTED, values_of

CATALOG = load()
_ENGINES = Path(__file__).resolve().parents[2] / "llm_d_gke" / "catalog" / "engines"
_FIGURES = Path(__file__).with_name("figures") / "found_configs"
_DTYPES = ("auto", "half", "bfloat16", "float32")
_METHODS = sorted({method for version in versions() for method in load_facts(version).quantization})
_SET = (None, None, "fp8", "gptq", "awq", "bitsandbytes", "mxfp4", "compressed-tensors")
_WHILE_LOADING = {"fp8", "fp8_per_block", "fp8_per_channel", "fp8_per_tensor", "int8_per_channel_weight_only", "online"}
_WHILE_LOADING |= {"bitsandbytes", "experts_int8", "mxfp4", "mxfp8", "gpt_oss_mxfp4", "humming", "nvfp4_per_token"}
_WHILE_LOADING |= {"deepseek_v4_fp8", "fp_quant", "gguf", "inc", "ptpc_fp8", "rtn", "tpu_int8", "cpu_awq"}


def _configurations() -> Iterator[tuple[str, dict[str, Any], Model]]:
    """Published and changed configurations whose memory is computed."""
    published = {f"acme/{path.stem}": json.loads(path.read_text(encoding="utf-8")) for path in _FIGURES.glob("*.json")}
    for name, config in (published | models(1, 200, published)).items():
        try:
            yield name, config, parse(name, config)
        except ConfigError:
            continue


_CONFIGS = {name: (config, model) for name, config, model in _configurations()}
_MODELS: Mapping[str, Model] = {**CATALOG.models, **{name: model for name, (_, model) in _CONFIGS.items()}}


@functools.cache
def _raw(version: str) -> dict[str, Any]:
    document: dict[str, Any] = read_yaml(_ENGINES / f"{version}.yaml")
    return document


def _table_refuses(version: str, entry: Model, card: Accelerator, dtype: str, quantization: str | None) -> bool:
    """Whether the file itself refuses it, read without the project's own rules."""
    table = _raw(version)
    if entry.quantization is not None and entry.quantization.method == "modelopt":
        quantization = None  # such a checkpoint overrides what is set
    method = quantization or (entry.quantization.method if entry.quantization else None)
    if dtype in ("half", "float16") and entry.architecture.startswith(("Gemma2For", "Gemma3For")):
        return "gemma2" in table["float16_refused"]
    if card.kind == "tpu":
        if method in (None, "mxfp4", "awq", "compressed-tensors"):
            return False
        # Checkpoints of modelopt have one name in their files and several in the engine.
        return method != "modelopt" and method not in table["tpu"]["platform_quantization"]
    written = entry.quantization.method if entry.quantization else None
    if written is None and quantization is not None:
        row = table["quantization"].get(quantization)
        # Without a file that says how they are quantized, only what quantizes while it loads can take the weights.
        if row is None or row.get("deprecated") or quantization not in _WHILE_LOADING:
            return True
    if {quantization, written} <= {"awq", "gptq", "fp8", "bitsandbytes", "mxfp4"} and quantization != written:
        return True
    capability = table["capabilities"].get(f"{card.compute_capability:.1f}")
    if capability is None:
        # A card added to the catalog after the table of the version was made.
        return False
    # Where bfloat16 is missing, what vLLM takes by itself depends on the model: the plan's own reading says it.
    if dtype == "auto" and "bfloat16" not in capability["dtypes"]:
        return False
    name = {"half": "float16", "auto": "bfloat16"}.get(dtype, dtype)
    if name not in capability["dtypes"]:
        return True
    if method is not None and method in table["quantization"]:
        minimum = table["quantization"][method]["minimum_capability"]
        if minimum is not None and card.compute_capability is not None and card.compute_capability < minimum:
            # Marlin's kernels are used under the same name: the planner may accept more, but never refuse more.
            return method in ("fp8", "mxfp4")
    heads = {group.head_dim or entry.head_dim for group in entry.attention if group.kind in ("full", "sliding")}
    sparse = any(group.sparse_latent for group in entry.attention)
    if sparse and int(card.compute_capability or 0) not in ((9, 10) if version < "0.24" else (9, 10, 12)):
        return True
    plain = entry.mla is None and entry.architecture not in table["sink_architectures"]
    rows = [row for row in capability["attention"] if row["use"] == "plain" and name in row["dtypes"]]
    return plain and any(row["backends"] == [] for row in rows for head in heads if head in row["heads"])


def _stack_on(version: str, model: str, accelerator: str, dtype: str, quantization: str | None) -> dict[str, Any]:
    card = CATALOG.accelerators[accelerator]
    machines = [m for m in CATALOG.machines_for(accelerator) if m.accelerator_share == 1]
    repository = "vllm-openai" if card.kind == "gpu" else "vllm-tpu"
    values = values_of("gpu" if card.kind == "gpu" else "tpu")
    values |= {
        "location": card.zones[0] if card.zones else f"{card.regions[0] if card.regions else 'us-central1'}-b",
        "accelerator": {
            "type": accelerator,
            "machineType": machines[0].name,
            "provisioning": "spot",
            "nodes": {"min": 0, "max": 8},
        },
        "models": [
            {
                "id": model,
                "maxModelLen": 512,
                "dtype": dtype,
                "image": f"vllm/{repository}:v{version}",
                **({"config": "own.json"} if model in _CONFIGS else {}),
                **({"quantization": quantization} if quantization else {}),
            }
        ],
    }
    return values


_OF_THE_ENGINE = {
    "LLMD-CONFIG-VALUE",  # a description that the engine cannot read ends it first
    "LLMD-ENGINE-ARCHITECTURE",
    "LLMD-DTYPE-BFLOAT16",
    "LLMD-DTYPE-FLOAT16",
    "LLMD-ATTENTION-KERNEL",
    "LLMD-EXPERTS-KERNEL",
    "LLMD-KV-CACHE-KERNEL",
    "LLMD-QUANTIZATION-UNKNOWN",
    "LLMD-QUANTIZATION-CHECKPOINT",
    "LLMD-QUANTIZATION-CAPABILITY",
    "LLMD-QUANTIZATION-DTYPE",
    "LLMD-QUANTIZATION-TPU",
}


@pytest.mark.parametrize("pool", [sorted(CATALOG.models), sorted(_CONFIGS)], ids=["catalog", "config.json"])
def test_nothing_is_accepted_that_the_engines_tables_refuse(pool: list[str]) -> None:
    verdicts: Counter[bool] = Counter()

    @settings(max_examples=150)
    @given(
        version=st.sampled_from(versions()),
        model=st.sampled_from(pool),
        accelerator=st.sampled_from(sorted(CATALOG.accelerators)),
        dtype=st.sampled_from(_DTYPES),
        quantization=st.sampled_from(_SET),
    )
    def check(version: str, model: str, accelerator: str, dtype: str, quantization: str | None) -> None:
        verdicts[_is_planned(version, model, accelerator, dtype, quantization)] += 1

    check()
    assert verdicts[True] > 5
    assert verdicts[False] > 5


def _is_planned(version: str, model: str, accelerator: str, dtype: str, quantization: str | None) -> bool:
    """Whether a stack has a plan. Checks that it has none where the table refuses, and that no refusal is left."""
    values, files = _stack_on(version, model, accelerator, dtype, quantization), {}
    if model in _CONFIGS:
        files = {model: ModelFile(config=_CONFIGS[model][0])}
    refuses = _table_refuses(version, _MODELS[model], CATALOG.accelerators[accelerator], dtype, quantization)
    plan = None
    try:
        plan = plan_raw("fuzz", values, ENCRYPTED, files=files)
        # A file beside an own config.json may say how its weights are quantized, so that there is only a warning.
        findings = plan.warnings if files and _MODELS[model].quantization is None else ()
    except RefusedError as refused:
        findings = tuple(refused.findings)
    identifiers = {finding.id for finding in findings}
    # Another error must not hide it: the stack may be refused for its memory as well.
    assert not refuses or _OF_THE_ENGINE & identifiers
    if plan is None:
        return False
    arguments = plan.models[0].servers[0].pod.args
    deployment = Deployment(
        model=_MODELS[model],
        accelerator=CATALOG.accelerators[accelerator],
        version=version,
        dtype=dtype,
        quantization=quantization,
        tensor_parallel=int(option_value(arguments, "--tensor-parallel-size") or 1),
        expert_parallel="--enable-expert-parallel" in arguments,
        all_files_known=model not in _CONFIGS,
    )
    assert [refusal for refusal in refusals_of(deployment) if refusal.certain] == []
    return True


@pytest.mark.parametrize("version", versions())
@pytest.mark.parametrize("pool", [sorted(CATALOG.models), sorted(_CONFIGS)], ids=["catalog", "config.json"])
def test_every_model_is_judged_on_every_card_as_the_table_says(version: str, pool: list[str]) -> None:
    """With more methods than the setting takes: arguments of existing deployments have them too.

    On each card every model once or twice, and both readings refuse some of them and accept some.
    """
    random = Random(version)  # noqa: S311 - the same cases in every run
    for accelerator, card in CATALOG.accelerators.items():
        verdicts: Counter[tuple[bool, bool]] = Counter()
        for model, methods in itertools.product(pool, (_METHODS, (None,))):
            dtype, quantization = random.choice(_DTYPES), random.choice(methods)
            refuses = _table_refuses(version, _MODELS[model], card, dtype, quantization)
            deployment = Deployment(
                model=_MODELS[model], accelerator=card, version=version, dtype=dtype, quantization=quantization
            )
            verdicts[refuses, bool(refusals_of(deployment))] += 1
            assert not refuses or refusals_of(deployment), (model, accelerator, dtype, quantization)
        assert verdicts[True, True] > 5, accelerator
        assert verdicts[False, False] > 5, accelerator


def test_the_second_reading_refuses_and_accepts() -> None:
    """Else the fuzz above could not fail."""

    def refuses(model: str, accelerator: str, dtype: str, quantization: str | None = None) -> bool:
        return _table_refuses("0.26.0", CATALOG.models[model], CATALOG.accelerators[accelerator], dtype, quantization)

    assert refuses("google/gemma-3-4b-it", "nvidia-l4", "half")
    assert refuses("Qwen/Qwen3-8B", "nvidia-tesla-t4", "bfloat16")
    assert refuses("Qwen/Qwen3-8B", "tpu-v6e", "bfloat16", "gptq")
    assert not refuses("Qwen/Qwen3-8B", "nvidia-l4", "bfloat16")
