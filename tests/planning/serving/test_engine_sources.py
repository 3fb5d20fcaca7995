"""What vLLM's sources refuse is refused, and the nearest stack file that they accept is not."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.config_json import parse
from llm_d_gke.catalog.config_quantization import quantization_of
from llm_d_gke.planning.engine_support.attention import own_block_size
from llm_d_gke.planning.findings import Severity
from llm_d_gke.stackfile.model_files import ModelFile
from tests.planning.refusals.case import findings_of
from tests.planning.refusals.engine_checkpoints import REFUSED as OF_CHECKPOINTS
from tests.planning.refusals.engine_conflicts import H100_4
from tests.planning.refusals.engine_issues import REFUSED as OF_ISSUES
from tests.planning.refusals.engine_raises import REFUSED as OF_CLASSES
from tests.planning.refusals.engine_sources import REFUSED, Refused


def _option(*words: str) -> dict[str, Any]:
    return {"allowExtraArgs": True, "extraArgs": list(words)}


def _quantized(method: str, **keys: Any) -> dict[str, Any]:
    return {"quantization_config": {"quant_method": method, **keys}}


@pytest.mark.parametrize("row", [*REFUSED, *OF_CHECKPOINTS, *OF_ISSUES, *OF_CLASSES], ids=lambda row: row.name)
def test_the_accepted_neighbor_has_no_error(row: Refused) -> None:
    facts = row.facts if row.neighbor_facts is None else row.neighbor_facts
    findings = findings_of("gpu", row.changes(row.neighbor), facts={row.model: facts} if facts else {})
    assert [finding for finding in findings if finding.severity is Severity.ERROR or row.rule in finding.rule] == []


@pytest.mark.parametrize("row", OF_CLASSES, ids=lambda row: row.name)
def test_what_a_class_raises_is_found(row: Refused) -> None:
    severities = [finding.severity for finding in row.wrong().findings() if row.rule in finding.rule]
    assert severities == [Severity.WARNING if row.warns else Severity.ERROR]


@pytest.mark.parametrize(
    ("architecture", "settings", "rule"),
    [
        ("WhisperForConditionalGeneration", {"pipelineParallel": 2}, "into pipeline stages"),
        ("FalconH1ForCausalLM", {"pipelineParallel": 2}, ""),
        ("FalconH1ForCausalLM", {"quantization": "bitsandbytes"}, "no quantization method bitsandbytes"),
        ("FalconH1ForCausalLM", {"quantization": "fp8"}, ""),
        (
            "FalconH1ForCausalLM",
            {"allowExtraArgs": True, "extraArgs": ["--max-cudagraph-capture-size", "0"]},
            "CUDA graphs of a largest size below 1",
        ),
        ("XverseForCausalLM", {}, "has no XverseForCausalLM any more, the last one that has it is 0.23.0"),
        ("DeciLMForCausalLM", {}, "does not know the model type nemotron-nas"),
        ("FalconH1ForCausalLM", {"reasoningParser": "k2_horizon"}, "could not locate think start/end tokens"),
        ("LagunaForCausalLM", {"reasoningParser": "poolside_v1"}, ""),
        ("DeciLMForCausalLM", {"allowExtraArgs": True, "extraArgs": ["--trust-remote-code"]}, ""),
        *(
            (name, {"allowExtraArgs": True, "extraArgs": ["--tokenizer-mode", mode]}, rule)
            for name in ("PixtralForConditionalGeneration", "VoxtralForConditionalGeneration")
            for mode, rule in (("hf", "requires"), ("mistral", ""))
        ),
    ],
)
def test_a_model_whose_memory_is_not_computed(architecture: str, settings: dict[str, Any], rule: str) -> None:
    """Judged by its class and by its options (vLLM 0.30.0)."""
    own = {"id": "acme/own", "config": "own.json", "image": "vllm/vllm-openai:v0.30.0", "tensorParallel": 1, **settings}
    assert [rule in reason for reason in _reasons({"architectures": [architecture], "model_type": "llama"}, own)] == (
        [True] if rule else []
    )


@pytest.mark.parametrize(
    ("fields", "settings", "rules"),
    [
        (_quantized("hqq"), {}, ["has no quantization method hqq"]),
        (_quantized("awq", bits=8, group_size=128, zero_point=True), {}, ["they have 8 bits"]),
        (_quantized("awq", bits=4, group_size=128, zero_point=True), {}, []),
        (_quantized("awq", bits=4, q_group_size=128), {}, ["has no zero_point, which vLLM reads of awq"]),
        (
            _quantized("modelopt", group_size=16),
            {},
            ["has no quant_algo or quantization, which vLLM reads of modelopt"],
        ),
        (_quantized("modelopt", quant_algo="FP8"), {}, []),
        (_quantized("fp8", activation_scheme="dynamic"), {"quantization": "gptq"}, ["takes no other method"]),
        ({"num_attention_heads": 12}, {"tensorParallel": 8}, ["which 8 cannot share evenly"]),
        ({"num_attention_heads": 16}, {"tensorParallel": 8}, []),
        ({"encoder_attention_heads": 20}, {"tensorParallel": 8}, ["which 8 cannot share evenly"]),
        ({"text_config": {"num_attention_heads": 12}}, {"tensorParallel": 8}, ["which 8 cannot share evenly"]),
        ({"num_attention_heads": 16}, {"tensorParallel": 2, "expertParallel": True}, ["has no experts to share"]),
        ({"num_attention_heads": 16, "num_experts": 8}, {"tensorParallel": 2, "expertParallel": True}, []),
        ({"num_attention_heads": 16, "num_experts": 0}, {"dataParallel": 2}, ["has no experts to share"]),
        ({"max_position_embeddings": 2048}, {"maxModelLen": 8192}, ["states 2048 tokens; vLLM refuses more"]),
        ({"max_position_embeddings": 2048, "model_max_length": 8192}, {"maxModelLen": 8192}, []),
        ({}, _option("--hf-overrides.text_config", '{"vocab_size": 8}'), ["has no text_config"]),
        ({"text_config": {}}, _option("--hf-overrides.text_config", '{"vocab_size": 8}'), []),
        ({}, {"tensorParallel": 2, **_option("--decode-context-parallel-size", "3")}, ["3"]),
        ({"num_experts": 8}, {"tensorParallel": 2, **_option("--enable-eplb")}, ["whole ones, which expertParallel"]),
        ({}, _option("--hf-overrides", '{"rope_parameters": {"type": "linear", "factor": 2}}'), ["'rope_type'"]),
        ({"text_config": {}}, _option("--hf-overrides", '{"rope_scaling": {"factor": 2}}'), []),
        ({}, _option("--limit-mm-per-prompt", '{"video": {"length": 5}}'), []),
        ({"vision_config": {}}, _option("--limit-mm-per-prompt", '{"video": {"length": 5}}'), ["video has no length"]),
        (
            {"n_positions": 2048},
            {"maxModelLen": 8192, **_option("--hf-overrides", '{"vocab_size": 1000}')},
            ["states 2048 tokens"],
        ),
        ({"n_positions": 2048}, {"maxModelLen": 8192, **_option("--hf-overrides", '{"n_positions": 8192}')}, []),
        ({"n_positions": 2048, "rope_scaling": {"type": "linear", "factor": 4.0}}, {"maxModelLen": 8192}, []),
        ({"model_type": "jamba"}, {"speculativeDecoding": {"method": "mtp", "tokens": 1}}, ["has no layers that pre"]),
        ({"model_type": "ernie4_5_moe"}, {"speculativeDecoding": {"method": "mtp", "tokens": 1}}, []),
        ({"num_mtp": 1}, {"speculativeDecoding": {"method": "mtp", "tokens": 1}}, []),
    ],
)
def test_what_every_configuration_states(fields: dict[str, Any], settings: dict[str, Any], rules: list[str]) -> None:
    """Heads and experts are judged of models whose memory is not computed too (vLLM 0.30.0)."""
    own = {"id": "acme/own", "config": "own.json", "image": "vllm/vllm-openai:v0.30.0", **settings}
    reasons = _reasons(
        {"architectures": ["JambaForCausalLM"], "model_type": "jamba", **fields}, {"tensorParallel": 1, **own}
    )
    assert len(reasons) == len(rules)
    assert all(rule in reason for rule, reason in zip(rules, reasons, strict=True))


@pytest.mark.parametrize(
    ("model", "severity", "rule"),
    [
        ({"dtype": "bfloat16"}, Severity.ERROR, "T4 has compute capability 7.5, where vLLM computes in float16"),
        ({"dtype": "half"}, None, ""),
        ({"quantization": "awq"}, Severity.WARNING, "looks in the checkpoint for how awq quantized it"),
        (
            {"config": "acme.json"},
            Severity.ERROR,
            "neither the registry of vLLM 0.30.0 nor transformers has AcmeForCausalLM",
        ),
    ],
)
def test_of_a_model_that_is_not_computed(model: dict[str, str], severity: Severity | None, rule: str) -> None:
    """By its class and its quantization alone, on a T4."""
    name = "AcmeForCausalLM" if "config" in model else "JambaForCausalLM"
    own = {"id": "acme/own", "config": "own.json", "image": "vllm/vllm-openai:v0.30.0", **model}
    findings = findings_of(
        "gpu",
        {"models[0]": own},
        files={"acme/own": ModelFile(config={"architectures": [name], "model_type": "jamba"})},
    )
    judged = ("LLMD-DTYPE", "LLMD-QUANTIZATION", "LLMD-CONFIG-ENGINE")
    verdicts = [(finding.severity, rule in finding.rule) for finding in findings if finding.id.startswith(judged)]
    assert verdicts == ([(severity, True)] if severity else [])


def _reasons(config: dict[str, Any], model: dict[str, Any]) -> list[str]:
    """Why a model of the stack's own is refused."""
    machine = {**H100_4, "machineType": "a3-highgpu-8g"}
    changes = {"location": "us-central1-a", "accelerator": machine, "models[0]": model}
    findings = findings_of("gpu", changes, files={"acme/own": ModelFile(config=config)})
    return [finding.rule for finding in findings if finding.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("model", "card", "cache", "tokens"),
    [
        ("deepseek-ai/DeepSeek-V4-Flash", "nvidia-b200", "fp8", 256),
        ("deepseek-ai/DeepSeek-V3.2", "nvidia-h200-141gb", None, 64),
        ("deepseek-ai/DeepSeek-V3", "nvidia-b200", None, 32),
        ("deepseek-ai/DeepSeek-V3", "nvidia-h200-141gb", None, 16),
        ("deepseek-ai/DeepSeek-V3", "nvidia-h200-141gb", "fp8", 64),
        ("Qwen/Qwen3-8B", "nvidia-b200", None, 16),
    ],
)
def test_blocks_as_the_engine_chooses_them(model: str, card: str, cache: str | None, tokens: int) -> None:
    """get_preferred_block_size of the first back end, asked by vllm/platforms/interface.py of 0.26.0."""
    catalog = load()
    assert own_block_size(catalog.models[model], catalog.accelerators[card], "0.26.0", cache) == tokens


@pytest.mark.parametrize(
    ("kind", "activations", "integers"), [("int", 8, True), ("int", None, False), ("float", 8, False)]
)
def test_integers_of_compressed_tensors(kind: str, activations: int | None, integers: bool) -> None:
    group = {
        "targets": ["Linear"],
        "weights": {"num_bits": 8, "type": kind, "strategy": "channel"},
        "input_activations": {"num_bits": activations, "type": kind} if activations else None,
    }
    stored = quantization_of({"quant_method": "compressed-tensors", "config_groups": {"group_0": group}})
    assert stored is not None
    assert stored.integers is integers


def test_the_tower_of_glm_v() -> None:
    """GLM-4.1V-9B: 10.3 billion parameters are published, and 9.4 of GLM-4-9B; issue 24004 counts 12 heads."""
    text = {
        "hidden_size": 4096,
        "intermediate_size": 13696,
        "max_position_embeddings": 65536,
        "num_attention_heads": 32,
        "num_hidden_layers": 40,
        "num_key_value_heads": 2,
        "vocab_size": 151552,
    }
    model = parse(
        "zai-org/GLM-4.1V-9B-Thinking",
        {
            "architectures": ["Glm4vForConditionalGeneration"],
            "model_type": "glm4v",
            "text_config": text,
            "vision_config": {"depth": 24},
        },
    )
    assert model.vision_heads == 12
    assert model.vision_gib is not None
    assert 0.85e9 < model.vision_gib * 2**30 / 2 < 0.95e9
