"""Values of a config.json that vLLM refuses while it reads the file.

Rows with version 0.26.0 or 0.32.0 were put to the parser of that version, except for those with code of the checkpoint,
which it would need, and for `sym` of auto-round. The others follow from the sources that architectures.yaml names.
"""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.planning.findings import Severity
from llm_d_gke.planning.serving.config_values import wrong_values
from llm_d_gke.stackfile.model_files import ModelFile
from tests.planning.refusals.case import findings_of

_QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_hidden_layers": 2,
    "max_position_embeddings": 40960,
}
_ALONE = {"layer_types": ["full_attention", "sliding_attention"]}


def _first(changes: dict[str, Any], version: str | None) -> str | None:
    config = {name: value for name, value in {**_QWEN3, **changes}.items() if value != "absent"}
    return next(wrong_values(config, version), None)


def _rope(**rope: Any) -> dict[str, Any]:
    return {"rope_scaling": rope}


def _quantized(method: str, **keys: Any) -> dict[str, Any]:
    return {"quantization_config": {"quant_method": method, **keys}}


@pytest.mark.parametrize("version", ["0.26.0", "0.32.0"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dtype": "auto"}, "dtype is auto, and must be a type of torch"),
        ({"torch_dtype": "torch.bfloat16"}, "torch_dtype is torch.bfloat16, and must be a type of torch"),
        # A part of PaliGemma.
        ({"text_config": {"torch_dtype": "auto"}}, "torch_dtype is auto"),
        ({"model_type": "absent"}, "it has no model_type"),
        ({"model_type": "word"}, "model_type is word, for which neither the engine nor transformers has a class"),
        ({"model_type": "shieldgemma2", "architectures": None}, "it names no architectures"),
        (_rope(rope_type="linear"), "rope_scaling has no factor, which rope_type linear needs"),
        (_rope(rope_type="linear", factor="4"), 'factor of rope_scaling is "4", and must be a number'),
        (_rope(rope_type="yarn"), "rope_scaling has no factor"),
        (_rope(rope_type="longrope", factor=4.0), "rope_scaling has no short_factor and no long_factor"),
        (_rope(type="su"), "rope_scaling has no short_factor and no long_factor"),
        (_rope(rope_type="longrope", short_factor=1.0, long_factor=[1.0]), "short_factor of rope_scaling is 1, and"),
        (_rope(rope_type="llama3", factor=8.0), "rope_scaling has no low_freq_factor and no high_freq_factor"),
        (_rope(type="mrope"), "rope_scaling has no mrope_section"),
        (_rope(type="yarn", rope_type="linear", factor=2.0), "rope_scaling has rope_type linear and type yarn"),
        (
            {"layer_types": ["full_attention"] * 3},
            "layer_types names the kinds of 3 layers, and num_hidden_layers is 2",
        ),
        ({"layer_types": ["full_attention", "word"]}, "layer_types has word, which transformers knows as no kind"),
        ({"text_config": {"num_hidden_layers": 1, "layer_types": []}}, "names the kinds of 0 layers"),
        ({"rope_parameters": "yarn"}, "rope_parameters is yarn, and must be a group"),
        (_quantized("awq_marlin", bits=4, group_size=128), "quantization_config has no zero_point"),
        (_quantized("gptq_marlin", bits=4, group_size=128), "quantization_config has no desc_act"),
        (_quantized("fp8", activation_scheme="word"), "activation_scheme of quantization_config is word"),
        (_quantized("fp8", activation_scheme="dynamic", weight_block_size=[128]), "must be two numbers"),
        (_quantized("fp8", activation_scheme="static", weight_block_size=[128, 128]), "has to be dynamic"),
        (_quantized("modelopt", quant_algo="W4A8_AWQ"), "quant_algo of quantization_config is W4A8_AWQ"),
        (
            _quantized("auto-round", bits=4, group_size=128, sym=True, backend="word"),
            "backend of quantization_config is word",
        ),
    ],
)
def test_what_the_engine_cannot_read(version: str, changes: dict[str, Any], reason: str) -> None:
    assert reason in str(_first(changes, version))


@pytest.mark.parametrize("version", ["0.26.0", "0.32.0", None])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"architectures": []},
        {"dtype": "half"},
        {"dtype": "float8_e4m3fn"},
        {"num_key_value_heads": None},
        {"hidden_size": 1000, "num_attention_heads": 48},
        {"rope_scaling": None},
        {"rope_scaling": {}},
        _rope(rope_type="ntk-aware", factor=2.0),
        _rope(rope_type="dynamic", factor=None),
        _rope(rope_type="longrope", short_factor=[1.0] * 3, long_factor=[1.0] * 3),
        _rope(type="mrope", mrope_section=[16, 24, 24]),
        _rope(type="su", rope_type="longrope", short_factor=[1.0], long_factor=[1.0]),
        _ALONE | {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0}}},
        {"auto_map": {"AutoConfig": "configuration_acme.AcmeConfig"}, "model_type": "acme"},
        _quantized("modelopt", quant_algo="fp8"),
        # Nemotron-H counts the kinds, and Step 3.5 lists layers of prediction besides.
        _ALONE | {"architectures": ["NemotronHForCausalLM"], "num_hidden_layers": 3},
        _ALONE | {"architectures": ["Step3p5ForCausalLM"], "model_type": "step3p5", "num_hidden_layers": 1},
        # Granite 4.0 micro.
        {"model_type": "granitemoehybrid", "layer_types": ["attention", "attention"]},
        _quantized(
            "auto-round", bits=4, group_size=128, sym=True, data_type="int", packing_format="auto_round:auto_gptq"
        ),
    ],
)
def test_what_the_engine_takes(version: str | None, changes: dict[str, Any]) -> None:
    assert _first(changes, version) is None


@pytest.mark.parametrize(
    ("changes", "refusing", "taking"),
    [
        (_rope(rope_type="yarn", factor="4"), "0.26.0", "0.32.0"),
        (_quantized("auto-round", bits=8, group_size=32, sym=True, data_type="mx_fp"), "0.26.0", "0.32.0"),
        # Their transformers may be older than the checks.
        (_rope(rope_type="linear"), "0.26.0", "0.19.1"),
        ({"layer_types": ["full_attention"]}, "0.26.0", "0.19.1"),
    ],
)
def test_versions_differ(changes: dict[str, Any], refusing: str, taking: str) -> None:
    assert _first(changes, refusing) is not None
    assert _first(changes, taking) is None


def test_torchao_needs_a_package() -> None:
    """vLLM 0.26.0 and 0.32.0 without torchao end: Please install torchao."""
    own = {"id": "acme/own", "config": "own.json", "image": "vllm/vllm-openai:v0.32.0"}
    file = ModelFile(config={**_QWEN3, **_quantized("torchao", quant_type={"default": {}})})
    findings = findings_of("gpu", {"models[0]": own}, files={"acme/own": file})
    [finding] = [finding for finding in findings if finding.id == "LLMD-ENGINE-PARSER-PACKAGE"]
    assert (finding.severity, finding.value) == (Severity.WARNING, "torchao")


def _of_class(architectures: list[str], **model: Any) -> list[Severity]:
    own = {"id": "acme/own", "config": "own.json", "image": "vllm/vllm-openai:v0.32.0", **model}
    config = {"architectures": architectures, "model_type": "qwen3", **model.pop("fields", {})}
    own.pop("fields", None)
    findings = findings_of("gpu", {"models[0]": own}, files={"acme/own": ModelFile(config=config)})
    return [finding.severity for finding in findings if finding.id == "LLMD-CONFIG-ENGINE"]


@pytest.mark.parametrize(
    ("architectures", "model", "severities"),
    [
        (["AcmeForCausalLM"], {}, [Severity.ERROR]),
        (["AcmeForCausalLM", "Qwen3ForCausalLM"], {}, []),
        # The registry has the same model with another ending, which vLLM tries.
        (["Qwen2VLLMHeadModel"], {}, []),
        # Only transformers has it.
        (["MllamaForConditionalGeneration"], {}, [Severity.WARNING]),
        # Another image, the checkpoint's own code, or an override may bring a class.
        (["AcmeForCausalLM"], {"image": "acme/vllm-openai:v0.32.0"}, [Severity.WARNING]),
        (["AcmeForCausalLM"], {"fields": {"auto_map": {"AutoModelForCausalLM": "a.B"}}}, [Severity.WARNING]),
        (
            ["AcmeForCausalLM"],
            {"allowExtraArgs": True, "extraArgs": ['--hf-overrides={"architectures": ["Qwen3ForCausalLM"]}']},
            [Severity.WARNING],
        ),
    ],
)
def test_a_class_that_no_code_has(architectures: list[str], model: dict[str, Any], severities: list[Severity]) -> None:
    """vLLM 0.32.0 ended on 10 such configurations of 126 random ones, and took the others."""
    assert _of_class(architectures, **model) == severities
