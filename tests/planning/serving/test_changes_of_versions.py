"""What a version of vLLM changed: the same stack file by the version before, and by the one with the change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.planning.refusals.case import findings_of

_CONFLICT = "LLMD-ENGINE-CONFLICT"
_GUESSED = {"method": "ngram", "tokens": 4}
_DRAFTED = {"method": "draft_model", "draftModel": "Qwen/Qwen3-0.6B", "tokens": 4}
_SECOND_RUNNER = {"VLLM_USE_V2_MODEL_RUNNER": "1"}
_FIRST_RUNNER = {"VLLM_USE_V2_MODEL_RUNNER": "0"}
_NOT_PADDED = [
    "--async-scheduling",
    "--spec-method",
    "mtp",
    "--speculative-config.disable_padded_drafter_batch",
    "true",
]
_MAMBA, _REPLAYED = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", ["--use-replayssm", "--mamba-backend", "flashinfer"]


@dataclass(frozen=True)
class _Change:
    """A finding about a model's settings in the versions of `refused` alone; `part`: of its rule."""

    refused: tuple[str, ...]
    accepted: tuple[str, ...]
    id: str
    part: str
    model: dict[str, Any]


_CHANGES = {
    "a cache in the other 16 bits": _Change(
        ("0.33.0",),
        ("0.32.0",),
        _CONFLICT,
        'kv_cache_dtype="bfloat16" is incompatible with dtype="float16"',
        {"dtype": "half", "kvCacheDtype": "bfloat16"},
    ),
    "a cache in 16 bits beside 32": _Change(
        ("0.33.0",),
        ("0.32.0",),
        _CONFLICT,
        'kv_cache_dtype="float16" is incompatible with dtype="float32"',
        {"dtype": "float32", "kvCacheDtype": "float16"},
    ),
    "adapters beside MegaMoE": _Change(
        ("0.33.0",),
        ("0.32.0",),
        _CONFLICT,
        "LoRA is not supported with this moe_backend",
        {
            "adapters": [{"name": "style", "source": "acme/style", "rank": 16}],
            "extraArgs": ["--moe-backend", "deep_gemm_mega_moe"],
        },
    ),
    "ranks of elastic experts": _Change(
        ("0.32.0",),
        ("0.33.0",),
        _CONFLICT,
        "elastic expert parallelism needs one API server",
        {
            "id": "Qwen/Qwen3-30B-A3B",
            "dataParallel": 2,
            "expertParallel": True,
            "extraArgs": ["--enable-eplb", "--enable-elastic-ep"],
        },
    ),
    "n-grams in the second runner": _Change(
        ("0.30.0", "0.31.0"),
        ("0.32.0", "0.33.0"),
        "LLMD-SPECULATION-TARGET",
        "env asks for Model Runner V2",
        {"env": _SECOND_RUNNER, "speculativeDecoding": _GUESSED},
    ),
    "a draft model in the second runner": _Change(
        ("0.30.0",),
        ("0.31.0", "0.33.0"),
        "LLMD-SPECULATION-TARGET",
        "env asks for Model Runner V2",
        {"id": "Qwen/Qwen3-8B", "env": _SECOND_RUNNER, "speculativeDecoding": _DRAFTED},
    ),
    "n-grams beside asynchronous scheduling": _Change(
        ("0.32.0",),
        ("0.33.0",),
        _CONFLICT,
        "asked for, it is refused beside speculativeDecoding",
        {"speculativeDecoding": _GUESSED, "extraArgs": ["--async-scheduling"]},
    ),
    "n-grams beside asynchronous scheduling in the first runner": _Change(
        ("0.32.0", "0.33.0"),
        (),
        _CONFLICT,
        "asked for, it is refused beside speculativeDecoding",
        {"env": _FIRST_RUNNER, "speculativeDecoding": _GUESSED, "extraArgs": ["--async-scheduling"]},
    ),
    "drafts without padding beside asynchronous scheduling": _Change(
        ("0.32.0",),
        ("0.33.0",),
        _CONFLICT,
        "disable_padded_drafter_batch=True",
        {"id": "Qwen/Qwen3.5-27B", "extraArgs": _NOT_PADDED},
    ),
    "drafts without padding in the first runner": _Change(
        ("0.33.0",),
        (),
        _CONFLICT,
        "Async scheduling is not supported by the V1 model runner with disable_padded_drafter_batch=True",
        {"id": "Qwen/Qwen3.5-27B", "extraArgs": _NOT_PADDED, "env": _FIRST_RUNNER},
    ),
    "replayed states beside cached prefixes": _Change(
        ("0.32.0", "0.33.0"),
        ("0.30.0",),
        _CONFLICT,
        "FlashInfer ReplaySSM does not support prefix caching",
        {"id": _MAMBA, "prefixCaching": True, "extraArgs": _REPLAYED},
    ),
    "the other spelling of a switch that is off": _Change(
        ("0.32.0",),
        ("0.33.0",),
        "LLMD-ENGINE-OPTION",
        "--disable-log-outputs",
        {"extraArgs": ["--disable-log-outputs"]},
    ),
    "the other spelling of what a setting says": _Change(
        ("0.33.0",),
        (),
        "LLMD-EXTRA-ARGS-PLANNED",
        "the planner passes this argument to vLLM already",
        {"prefixCaching": True, "extraArgs": ["--disable-prefix-caching"]},
    ),
    "the other spelling of whole prompts": _Change(
        ("0.33.0",),
        (),
        "LLMD-PREFIX-CACHING-STATES",
        "",
        {"id": _MAMBA, "prefixCaching": True, "extraArgs": ["--disable-chunked-prefill"]},
    ),
    "medusa's heads": _Change(
        ("0.33.0",),
        ("0.32.0",),
        "LLMD-ENGINE-VALUE",
        "--spec-method takes None",
        {"extraArgs": ["--spec-method", "medusa"]},
    ),
    "a watchdog without patience": _Change(
        ("0.33.0",),
        (),
        "LLMD-ENGINE-VALUE",
        "--watchdog-config.timeout",
        {"extraArgs": ["--watchdog-config.timeout", "0"]},
    ),
    "a type of KV cache of no platform": _Change(
        ("0.32.0", "0.33.0"),
        (),
        "LLMD-ENGINE-VALUE",
        "",
        {"extraArgs": ["--speculative-config.kv_cache_dtype", "fp9"]},
    ),
    "replayed states without cached prefixes": _Change(
        (),
        ("0.32.0", "0.33.0"),
        _CONFLICT,
        "FlashInfer ReplaySSM",
        {"id": _MAMBA, "prefixCaching": False, "extraArgs": _REPLAYED},
    ),
}


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_a_version_refuses_what_it_ends_on(change: _Change) -> None:
    refused = {version: _is_found(change, version) for version in (*change.refused, *change.accepted)}
    assert refused == {**dict.fromkeys(change.refused, True), **dict.fromkeys(change.accepted, False)}


def _is_found(change: _Change, version: str) -> bool:
    model = {
        "id": "Qwen/Qwen3-0.6B",
        "image": f"vllm/vllm-openai:v{version}",
        "maxModelLen": 2048,
        "allowExtraArgs": True,
        **change.model,
    }
    accelerator = {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"min": 0, "max": 1}}
    findings = findings_of("gpu", {"models[0]": model, "accelerator": accelerator})
    return any(finding.id == change.id and change.part in finding.rule for finding in findings)
