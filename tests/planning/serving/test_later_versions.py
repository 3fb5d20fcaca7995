"""Images with a vLLM that is newer than every table: what the newest table lacks is not known, and never refused."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog.engine_tables import load_facts, versions
from llm_d_gke.planning.findings import Severity
from llm_d_gke.stackfile.model_files import ModelFile
from tests.planning.refusals.case import findings_of

_NEWEST = versions()[-1]
_MAJOR, _MINOR, *_ = _NEWEST.split(".")
_LATER = f"{_MAJOR}.{int(_MINOR) + 1}.0"
_UNKNOWN = "LLMD-ENGINE-FEATURE-UNKNOWN"


def _of(version: str, configuration: dict[str, Any] | None = None, **model: Any) -> dict[str, Severity]:
    """Findings about names that the version may lack."""
    source = {"id": "Qwen/Qwen3-0.6B"} if configuration is None else {"id": "acme/own", "config": "own.json"}
    own = {**source, "image": f"vllm/vllm-openai:v{version}", "maxModelLen": 2048, "allowExtraArgs": True, **model}
    changes = {"models[0]": own, "accelerator": {"type": "nvidia-l4", "nodes": {"min": 0, "max": 1}}}
    files = {} if configuration is None else {"acme/own": ModelFile(config=configuration)}
    about = ("LLMD-ENGINE", "LLMD-SPECULATION-METHOD", "LLMD-CONFIG", "LLMD-QUANTIZATION")
    return {
        finding.id: finding.severity
        for finding in findings_of("gpu", changes, files=files)
        if finding.id.startswith(about)
    }


_OWN = {
    "architectures": ["AcmeForCausalLM"],
    "model_type": "acme",
    "hidden_size": 2048,
    "num_attention_heads": 16,
    "num_hidden_layers": 2,
    "max_position_embeddings": 32768,
}


@pytest.mark.parametrize(
    ("model", "refused_by"),
    [
        ({"toolCallParser": "acme9"}, "LLMD-ENGINE-PARSER"),
        ({"reasoningParser": "acme9"}, "LLMD-ENGINE-PARSER"),
        ({"extraArgs": ["--watch-acme"]}, "LLMD-ENGINE-OPTION"),
        ({"extraArgs": ["--load-format=acme"]}, "LLMD-ENGINE-VALUE"),
        ({"extraArgs": ['--compilation-config={"acme": 1}']}, "LLMD-ENGINE-VALUE"),
    ],
)
def test_a_name_is_warned_of(model: dict[str, Any], refused_by: str) -> None:
    assert _of(_NEWEST, **model)[refused_by] is Severity.ERROR
    assert _of(_LATER, **model) == {_UNKNOWN: Severity.WARNING}


def test_a_class_of_models_is_warned_of() -> None:
    assert Severity.ERROR in _of(_NEWEST, _OWN).values()
    findings = _of(_LATER, _OWN)
    assert findings["LLMD-CONFIG-ENGINE"] is Severity.WARNING
    assert Severity.ERROR not in findings.values()


def test_a_value_of_another_kind_is_refused() -> None:
    assert _of(_LATER, extraArgs=["--scheduler-reserve-full-isl=maybe"])["LLMD-ENGINE-VALUE"] is Severity.ERROR


def _stating(method: str) -> dict[str, Any]:
    """A configuration that says how its weights are quantized."""
    own = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    return {**_OWN, **own, "quantization_config": {"quant_method": method}}


def test_a_quantization_method_of_a_checkpoint_is_warned_of() -> None:
    assert _of(_NEWEST, _stating("acme9"))["LLMD-QUANTIZATION-UNKNOWN"] is Severity.ERROR
    assert _of(_LATER, _stating("acme9"))["LLMD-QUANTIZATION-UNKNOWN"] is Severity.WARNING


@pytest.mark.parametrize("model", [{}, {"id": "acme/own"}], ids=["computed", "not computed"])
def test_a_quantization_method_is_warned_of(model: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # Settings take the methods of all tables: the newest is made to lack one that no other has.
    for name in versions():
        monkeypatch.delitem(load_facts(name).quantization, "torchao")
    assert _of(_NEWEST, **model, quantization="torchao")["LLMD-QUANTIZATION-UNKNOWN"] is Severity.ERROR
    assert set(_of(_LATER, **model, quantization="torchao").values()) == {Severity.WARNING}


@pytest.mark.parametrize("method", ["bitsandbytes", "petit_nvfp4"])
def test_a_quantization_method_that_was_dropped_before_is_refused(method: str) -> None:
    assert _of(_LATER, _stating(method))["LLMD-QUANTIZATION-UNKNOWN"] is Severity.ERROR


def test_a_parser_that_was_dropped_before_is_refused() -> None:
    assert _of(_LATER, toolCallParser="minimax")["LLMD-ENGINE-PARSER"] is Severity.ERROR


def test_an_option_that_was_dropped_before_is_refused() -> None:
    assert _of(_LATER, extraArgs=["--swap-space=4"])["LLMD-ENGINE-OPTION"] is Severity.ERROR
