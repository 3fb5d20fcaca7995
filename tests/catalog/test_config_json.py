"""The memory-related fields of a known model's own config.json give the same entry as the catalog."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_d_gke.catalog import Model, load
from llm_d_gke.catalog.config_json import parse
from llm_d_gke.catalog.engine_tables import load_facts, versions
from llm_d_gke.catalog.errors import ConfigError

CONFIGS = sorted((Path(__file__).parent / "configs").glob("*.json"))

# Facts that no configuration contains: sources, access on the Hub, measured or published sizes.
ELSEWHERE = {
    "date",
    "gated",
    "note",
    "parameters",
    "revision",
    "size_gib",
    "source",
    "tpu_tested",
    "unpinned",
    "vision_gib",
}


def shape(model: Model) -> dict[str, Any]:
    plain = model.model_dump(exclude=ELSEWHERE)
    return plain | {"attention": sorted(plain["attention"], key=str)}


def read(name: str) -> dict[str, Any]:
    [path] = [path for path in CONFIGS if path.stem == name]
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_known_model_is_read_as_the_catalog_has_it(path: Path) -> None:
    name = path.stem.replace("--", "/")
    assert shape(parse(name, json.loads(path.read_text(encoding="utf-8")))) == shape(load().models[name])


def test_the_files_are_of_every_kind() -> None:
    models = [load().models[path.stem.replace("--", "/")] for path in CONFIGS]
    assert {group.kind for model in models for group in model.attention} == {
        "full",
        "sliding",
        "chunked",
        "linear",
        "mla",
    }
    assert {model.quantization.method for model in models if model.quantization} >= {"fp8", "awq", "mxfp4"}
    assert any(model.experts for model in models)
    assert any(model.vision_language for model in models)


@pytest.mark.parametrize(
    ("change", "words", "unknown"),
    [
        ({"architectures": ["MambaForCausalLM"]}, "architecture MambaForCausalLM is not one", True),
        ({"architectures": None}, "it names no architectures", True),
        ({"num_hidden_layers": None}, "no number under num_hidden_layers", False),
        ({"num_hidden_layers": "eighteen"}, 'num_hidden_layers is "eighteen"', False),
        ({"num_attention_heads": 0}, "num_attention_heads is 0", False),
        ({"vocab_size": -1}, "vocab_size is -1", False),
        ({"quantization_config": {"quant_method": "hqq"}}, "quantization hqq is not one", False),
        ({"quantization_config": {"quant_method": "awq", "bits": "four"}}, "'four' where a number", False),
        ({"layer_types": ["sliding_attention"] * 18}, "sliding layers and no sliding_window", False),
    ],
    ids=str,
)
def test_what_it_does_not_say_is_told(change: dict[str, Any], words: str, unknown: bool) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(").replace(")", r"\)")) as refused:
        parse("somebody/model", read("google--gemma-2b-it") | change)
    assert refused.value.unknown == unknown


@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
@pytest.mark.parametrize(
    ("kind", "context"), [("default", 8192), ("llama3", 8192), ("linear", 32768), ("dynamic", 32768), ("yarn", 16384)]
)
def test_the_context_follows_how_positions_are_scaled(key: str, kind: str, context: int) -> None:
    """_get_and_verify_max_len of vLLM 0.26.0, run with such configurations (findings/vllm-context-by-rope.sh)."""
    scaling = {"factor": 4.0, "original_max_position_embeddings": 4096} if kind != "default" else {}
    config = read("google--gemma-2b-it") | {key: {"rope_type": kind} | scaling}
    assert parse("somebody/model", config).context == context


@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
def test_old_checkpoints_of_compressed_tensors_are_not_counted_in_16_bits(key: str) -> None:
    """vLLM's get_quant_config: compressed-tensors uses a compressions_config."""
    group = {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 128, "type": "int", "symmetric": True}}
    written = {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "config_groups": {"group_0": group},
        "ignore": ["lm_head"],
    }
    model = parse("somebody/model", read("google--gemma-2b-it") | {key: written})
    assert model.quantization is not None
    assert (model.quantization.method, model.quantization.bits) == ("compressed-tensors", 4)


def test_every_architecture_of_the_engines_is_computed_or_refused_by_name() -> None:
    """More than 200 of 2024 to 2026: none is read as if it were another."""
    names = sorted({name for version in versions() for name in load_facts(version).architectures})
    assert len(names) > 200
    base = read("google--gemma-2b-it")
    answers = {name: _answer(name, base) for name in names}
    assert [name for name, words in answers.items() if words not in (name, None) and name not in words] == []
    assert sum(words != name for name, words in answers.items()) > len(names) / 2


def _answer(name: str, base: dict[str, Any]) -> str | None:
    """The error about an architecture; its name where it is computed, None where the file lacks its figures."""
    try:
        return parse("somebody/model", base | {"architectures": [name]}).architecture
    except ConfigError as error:
        return str(error) if error.unknown and "its text model" not in str(error) else None


def test_what_a_file_leaves_out_is_what_transformers_takes() -> None:
    """Gemma 3's own file names five figures of its text model, and none of its heads."""
    config = {
        "architectures": ["Gemma3ForConditionalGeneration"],
        "text_config": {
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "model_type": "gemma3_text",
            "num_hidden_layers": 34,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 1024,
        },
        "vision_config": {
            "hidden_size": 1152,
            "image_size": 896,
            "intermediate_size": 4304,
            "model_type": "siglip_vision_model",
            "num_attention_heads": 16,
            "num_hidden_layers": 27,
            "patch_size": 14,
        },
    }
    ours, theirs = parse("google/gemma-3-4b-it", config), load().models["google/gemma-3-4b-it"]
    rounded = {"vision_gib": round(ours.vision_gib or 0, 3)}
    assert shape(ours) | rounded == shape(theirs) | rounded
    assert ours.vision_gib == pytest.approx(theirs.vision_gib, abs=0.001)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**10) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300)
@given(st.sampled_from(CONFIGS), st.data())
def test_no_file_crashes_it(path: Path, data: st.DataObject) -> None:
    """Any value anywhere ends in an entry or in a sentence."""
    config = json.loads(path.read_text(encoding="utf-8"))
    inner = config.get("text_config", config)
    for name in data.draw(st.lists(st.sampled_from(sorted(inner)), max_size=3)):
        inner[name] = data.draw(JSON)
    for name in data.draw(st.lists(st.sampled_from(sorted(config)), max_size=1)):
        config[name] = data.draw(JSON)
    with suppress(ConfigError):
        parse("somebody/model", config)
