"""Shapes of the pickers' configurations, and what this program writes with them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from llm_d_gke.catalog import load
from llm_d_gke.catalog.pickers import Picker
from llm_d_gke.planning.picker_config import (
    PreciseIndex,
    PrefixIndex,
    Weights,
    can_disaggregate,
    disaggregated,
    load_and_prefix,
)
from llm_d_gke.planning.picker_config.document import DOCUMENTS
from llm_d_gke.planning.picker_config.parameters import parameters_of, read_parameters

PICKERS = load().pickers
API = "inference.networking.x-k8s.io/v1alpha1"
WEIGHTS = Weights(prefix=3, kv_cache=2, queue=2)
DISAGGREGATING_PICKERS = sorted(name for name, picker in PICKERS.items() if can_disaggregate(picker))


def profiles(config: dict[str, Any]) -> dict[str, list[str]]:
    return {p["name"]: [entry["pluginRef"] for entry in p["plugins"]] for p in config["schedulingProfiles"]}


def parameters(config: dict[str, Any]) -> dict[str, Any]:
    return {plugin["type"]: plugin.get("parameters", {}) for plugin in config["plugins"]}


class TestCatalog:
    @pytest.mark.parametrize("picker", PICKERS.values(), ids=PICKERS)
    def test_every_plugin_has_a_shape(self, picker: Picker) -> None:
        assert picker.document in DOCUMENTS
        for plugin in picker.plugins.values():
            parameters_of(plugin).model_json_schema()

    def test_what_is_deprecated_has_a_successor(self) -> None:
        for picker in PICKERS.values():
            for plugin in picker.plugins.values():
                assert plugin.deprecated is None or picker.has(plugin.deprecated.use), plugin.type

    def test_only_a_picker_with_levels_has_a_switch(self) -> None:
        for picker in PICKERS.values():
            alpha = [plugin for plugin in picker.plugins.values() if plugin.stability == "alpha"]
            assert bool(alpha) == (picker.experimental_flag is not None), picker.name


class TestOlderNames:
    """Pickers from v0.7.1 on read flat parameters of disagg-profile-handler where none of the nested ones are there."""

    PICKERS = sorted(name for name, picker in PICKERS.items() if picker.has("disagg-profile-handler"))

    @pytest.mark.parametrize("name", PICKERS)
    def test_they_are_the_values_of_groups(self, name: str) -> None:
        handler = PICKERS[name].plugins["disagg-profile-handler"]
        flat = {"deciderPluginName": "a", "prefillDeciderPluginName": "b", "decodeProfile": "d"}
        read = read_parameters(handler, flat).model_dump()
        assert (read["deciders"]["prefill"], read["profiles"]["decode"], read["profiles"]["prefill"]) == (
            "b",
            "d",
            "prefill",
        )

    @pytest.mark.parametrize("name", PICKERS)
    def test_both_together_are_refused(self, name: str) -> None:
        handler = PICKERS[name].plugins["disagg-profile-handler"]
        with pytest.raises(ValidationError):
            read_parameters(handler, {"deciderPluginName": "a", "profiles": {"decode": "d"}})


class TestLoadAndPrefix:
    @pytest.mark.parametrize("picker", PICKERS.values(), ids=PICKERS)
    def test_one_profile_weighs_three_scorers(self, picker: Picker) -> None:
        config = load_and_prefix(picker, API, WEIGHTS, PrefixIndex())
        assert profiles(config) == {"default": ["prefix-cache-scorer", "kv-cache-utilization-scorer", "queue-scorer"]}
        assert not any(parameters(config).values())

    @pytest.mark.parametrize(
        ("name", "prefix"),
        [
            ("epp-v1.2.0", {"blockSize": 64, "autoTune": False, "lruCapacityPerServer": 7500}),
            (
                "llm-d-inference-scheduler-v0.7.1",
                {"blockSizeTokens": 16, "autoTune": False, "lruCapacityPerServer": 7500},
            ),
            # It never reads lruCapacityPerServer: 31250 entries are enough here.
            ("epp-v1.5.0", {"autoTune": False, "blockSizeTokens": 16}),
        ],
    )
    def test_the_index_holds_twice_what_the_engine_does(self, name: str, prefix: dict[str, Any]) -> None:
        config = load_and_prefix(PICKERS[name], API, WEIGHTS, PrefixIndex(16, cached_tokens=60_000))
        assert parameters(config)["prefix-cache-scorer"] == prefix

    @pytest.mark.parametrize(
        ("name", "prefix"),
        [
            ("epp-v1.2.0", {"blockSize": 192, "autoTune": False, "lruCapacityPerServer": 25_000}),
            (
                "llm-d-inference-scheduler-v0.7.1",
                {"blockSizeTokens": 48, "autoTune": False, "lruCapacityPerServer": 25_000},
            ),
            ("epp-v1.5.0", {"autoTune": False, "blockSizeTokens": 48}),
        ],
    )
    def test_a_large_cache_gets_larger_blocks_instead_of_more_entries(self, name: str, prefix: dict[str, Any]) -> None:
        """2 x 600,000 tokens over 31,250 entries are 38.4 tokens each, in whole blocks of the engine 48."""
        config = load_and_prefix(PICKERS[name], API, WEIGHTS, PrefixIndex(16, cached_tokens=600_000))
        assert parameters(config)["prefix-cache-scorer"] == prefix

    @pytest.mark.parametrize(
        ("name", "longest", "compared"),
        [
            ("epp-v1.2.0", 4096, {}),
            ("epp-v1.2.0", 40_000, {"maxPrefixBlocksToMatch": 2500}),
            ("llm-d-inference-scheduler-v0.7.1", 4097, {"maxPrefixBlocksToMatch": 257}),
            ("epp-v1.5.0", 32_768, {"maxPrefixBlocksToMatch": 2048}),
            ("llm-d-router-v0.10.0", 131_072, {}),
            ("llm-d-router-v0.10.0", 262_144, {"maxPrefixTokensToMatch": 262_144}),
        ],
    )
    def test_the_longest_prompt_is_compared_to_its_end(self, name: str, longest: int, compared: dict[str, int]) -> None:
        """256 blocks of 16 tokens are what earlier pickers compare by default, 131,072 tokens later ones."""
        config = load_and_prefix(PICKERS[name], API, WEIGHTS, PrefixIndex(16, longest_tokens=longest))
        by_plugin = parameters(config)
        read = by_plugin.get("approx-prefix-cache-producer") or by_plugin["prefix-cache-scorer"]
        assert {key: value for key, value in read.items() if key.startswith("maxPrefix")} == compared

    @pytest.mark.parametrize(
        ("block", "producer"),
        [
            # As many entries as the engine has blocks, of 64 tokens instead of 16.
            (16, {"blockSizeTokens": 16}),
            (32, {"blockSizeTokens": 32}),
            (64, {"blockSizeTokens": 64, "autoTune": False, "lruCapacityPerServer": 1875}),
        ],
    )
    def test_a_picker_with_larger_blocks_has_room_by_itself(self, block: int, producer: dict[str, Any]) -> None:
        config = load_and_prefix(
            PICKERS["llm-d-router-v0.10.0"], API, WEIGHTS, PrefixIndex(block, cached_tokens=60_000)
        )
        assert parameters(config)["approx-prefix-cache-producer"] == producer

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("llm-d-inference-scheduler-v0.7.1", {}),
            ("llm-d-router-v0.10.0", {"prefixMatchInfoProducerName": "approx-prefix-cache-producer"}),
        ],
    )
    def test_prompts_without_a_hit_are_distinguished_by_the_same_matches(
        self, name: str, expected: dict[str, Any]
    ) -> None:
        """The scorer of another producer would take every prompt for a new one, and send them round robin."""
        weights = Weights(prefix=3, kv_cache=2, queue=2, no_hit=1)
        config = load_and_prefix(PICKERS[name], API, weights, PrefixIndex(16))
        assert profiles(config)["default"][-1] == "no-hit-lru-scorer"
        assert parameters(config)["no-hit-lru-scorer"] == expected

    def test_without_prefixes_nothing_is_spread(self) -> None:
        weights = Weights(prefix=0, kv_cache=2, queue=2, no_hit=1)
        config = load_and_prefix(PICKERS["llm-d-router-v0.10.0"], API, weights, PrefixIndex(16))
        assert profiles(config) == {"default": ["kv-cache-utilization-scorer", "queue-scorer"]}

    def test_the_precise_index_hears_of_every_pod(self) -> None:
        """Without the notifications it would follow no pod, and every prompt would look new."""
        index = PreciseIndex(model="m", tokenizer_url="http://m:8000", event_port=5557)
        config = load_and_prefix(PICKERS["llm-d-router-v0.10.0"], API, WEIGHTS, PrefixIndex(32, index))
        [source] = config["dataLayer"]["sources"]
        assert source == {
            "pluginRef": "endpoint-notification-source",
            "extractors": [{"pluginRef": "precise-prefix-cache-producer"}],
        }
        by_plugin = parameters(config)
        assert by_plugin["precise-prefix-cache-producer"]["tokenProcessorConfig"] == {"blockSizeTokens": 32}
        assert by_plugin["token-producer"] == {"modelName": "m", "vllm": {"url": "http://m:8000"}}
        # A scorer without an explicit producer silently reads a separate approximate one.
        assert by_plugin["prefix-cache-scorer"] == {"prefixMatchInfoProducerName": "precise-prefix-cache-producer"}


class TestDisaggregated:
    @pytest.mark.parametrize("name", DISAGGREGATING_PICKERS)
    def test_each_stage_has_its_filter_and_a_picker(self, name: str) -> None:
        config = disaggregated(PICKERS[name], API, WEIGHTS, PrefixIndex(16), 256)
        for stage in ("prefill", "decode"):
            assert profiles(config)[stage][0] == f"{stage}-filter"
            assert profiles(config)[stage][-1] == "max-score-picker"
        assert {ref for refs in profiles(config).values() for ref in refs} <= set(parameters(config))

    def test_a_decider_counts_new_tokens(self) -> None:
        by_plugin = parameters(disaggregated(PICKERS["llm-d-router-v0.10.0"], API, WEIGHTS, PrefixIndex(16), 256))
        assert by_plugin["prefix-based-pd-decider"] == {"nonCachedTokens": 256}
        assert by_plugin["disagg-profile-handler"] == {"deciders": {"prefill": "prefix-based-pd-decider"}}

    def test_no_threshold_is_always(self) -> None:
        """The prefix decider takes 0 for never."""
        by_plugin = parameters(disaggregated(PICKERS["llm-d-router-v0.10.0"], API, WEIGHTS, PrefixIndex(16), 0))
        assert by_plugin["disagg-profile-handler"] == {"deciders": {"prefill": "always-disagg-pd-decider"}}

    def test_the_older_handler_counts_characters(self) -> None:
        by_plugin = parameters(
            disaggregated(PICKERS["llm-d-inference-scheduler-v0.4.0"], API, WEIGHTS, PrefixIndex(16), 256)
        )
        assert by_plugin["pd-profile-handler"] == {"threshold": 1024, "hashBlockSize": 64}
        assert "prefill-header-handler" in by_plugin
