"""What keys and values take in a cache of fewer bits."""

from __future__ import annotations

import pytest

from llm_d_gke import catalog
from llm_d_gke.planning.sizing.memory import EngineOptions, engine_run
from llm_d_gke.planning.sizing.memory.cache_entries import entry_bytes, plain_layers
from llm_d_gke.planning.sizing.memory.kv_cache import layers_of


@pytest.mark.parametrize(
    ("cache", "size"),
    [
        ("bfloat16", 512),
        ("fp8", 256),
        ("int8_per_token_head", 264),
        ("int4_per_token_head", 136),
        ("nvfp4", 144),
        ("turboquant_k8v4", 196),
        ("turboquant_3bit_nc", 102),
    ],
)
def test_an_entry_of_the_cache_has_its_scales(cache: str, size: int) -> None:
    """Keys and values of 128 numbers in one head, as vLLM 0.30.0 divides its blocks."""
    entries = catalog.load()
    model = entries.models["Qwen/Qwen3-8B"]
    run = engine_run(model, entries.accelerators["nvidia-b200"], "0.30.0", EngineOptions(kv_cache_dtype=cache))
    assert run is not None
    assert entry_bytes(run, 128) == size
    plain = 4 if cache.startswith("turboquant") else 0
    assert plain_layers(run, run.model.layers) == plain
    expected = 8 * (size * (36 - plain) + 512 * plain)
    assert sum(layers.count * layers.token_bytes for layers in layers_of(run)) == expected
