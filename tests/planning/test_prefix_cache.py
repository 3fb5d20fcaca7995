"""Engine and picker cut prompts into the same blocks, and the preset weighs what it says."""

from __future__ import annotations

from typing import Any

import pytest

from planning.plan import ModelPlan
from tests.stacks import plan_of

GPU, TPU = "prefix-cache-gpu", "prefix-cache-tpu"
PREFIX = "prefix-cache-scorer"


def model(stack: str, changes: dict[str, Any] | None = None) -> ModelPlan:
    [found] = plan_of(stack, changes).models
    return found


def engine_block(plan: ModelPlan) -> int | None:
    args = plan.servers[0].pod.args
    return int(args[args.index("--block-size") + 1]) if "--block-size" in args else None


def picker_plugins(plan: ModelPlan) -> dict[str, dict[str, Any]]:
    """Parameters by plugin type."""
    return {plugin["type"]: plugin.get("parameters", {}) for plugin in plan.picker.config["plugins"]}


def weights(plan: ModelPlan) -> list[float]:
    [profile] = plan.picker.config["schedulingProfiles"]
    return [plugin["weight"] for plugin in profile["plugins"]]


class TestBlocks:
    @pytest.mark.parametrize("stack", [GPU, TPU])
    @pytest.mark.parametrize(
        ("release", "plugin", "parameter", "factor"),
        [
            ("llm-d-0.9", "approx-prefix-cache-producer", "blockSizeTokens", 1),
            ("gaie-1.5", PREFIX, "blockSizeTokens", 1),
            # Counts characters, four to a token.
            ("llm-d-0.4", PREFIX, "blockSize", 4),
        ],
    )
    @pytest.mark.parametrize("given", [None, 32])
    def test_both_sides_have_one_size(
        self, stack: str, release: str, plugin: str, parameter: str, factor: int, given: int | None
    ) -> None:
        plan = model(stack, {"release": release, "models[0].blockSize": given})
        size = engine_block(plan)
        assert size == (given or 16)
        assert picker_plugins(plan)[plugin] == {parameter: size * factor}

    def test_the_scorer_reads_the_producer_that_knows_the_size(self) -> None:
        """A scorer that is not told makes a producer of its own, with a size of its own, and says nothing."""
        plugins = picker_plugins(model(GPU))
        assert plugins[PREFIX] == {"prefixMatchInfoProducerName": "approx-prefix-cache-producer"}

    def test_a_tpu_has_larger_blocks_for_longer_requests(self) -> None:
        plan = model(TPU, {"models[0].maxModelLen": 32768})
        assert engine_block(plan) == picker_plugins(plan)["approx-prefix-cache-producer"]["blockSizeTokens"] == 64

    @pytest.mark.parametrize("stack", ["gpu", "tpu"])
    def test_other_patterns_leave_both_to_their_defaults(self, stack: str) -> None:
        plan = model(stack)
        assert engine_block(plan) is None
        assert not any(picker_plugins(plan).values())

    @pytest.mark.parametrize("stack", [GPU, TPU])
    def test_the_engine_keeps_prefixes(self, stack: str) -> None:
        assert "--enable-prefix-caching" in model(stack).servers[0].pod.args


class TestPresets:
    @pytest.mark.parametrize(
        ("picker", "expected"),
        [
            ({}, [3, 2, 2]),
            ({"preset": "balanced"}, [3, 2, 2]),
            ({"preset": "prefix"}, [3, 1, 1]),
            ({"preset": "prefix", "scorers": {"queue": 4}}, [3, 1, 4]),
            ({"preset": "prefix", "scorers": {"prefixCache": 5, "kvCacheUtilization": 0.5}}, [5, 0.5, 1]),
            ({"scorers": {"kvCacheUtilization": 7}}, [3, 7, 2]),
        ],
    )
    def test_numbers_win(self, picker: dict[str, Any], expected: list[float]) -> None:
        assert weights(model(GPU, {"picker": picker})) == expected
