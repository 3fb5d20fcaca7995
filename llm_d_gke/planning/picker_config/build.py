"""Configurations that this program writes itself, through the same shapes that check what users write."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm_d_gke.catalog.pickers import Picker, Plugin
from llm_d_gke.planning.picker_config.document import DOCUMENTS
from llm_d_gke.planning.picker_config.parameters import parameters_of, read_parameters

PREFIX, KV_CACHE, QUEUE = "prefix-cache-scorer", "kv-cache-utilization-scorer", "queue-scorer"
_GATE, _TURNS, _CONCURRENCY = "flowControl", "round-robin-fairness-policy", "concurrency-detector"
NO_HIT = "no-hit-lru-scorer"
APPROXIMATE, PRECISE = "approx-prefix-cache-producer", "precise-prefix-cache-producer"
METRICS = "metrics-data-source"
PREFIX_DECIDER = "prefix-based-pd-decider"
_NOTIFICATIONS, _TOKENS = "endpoint-notification-source", "token-producer"
_CHARACTERS_A_TOKEN = 4
_PREPARED = "prepareDataPlugins"
# Of a prompt's beginning. The first one, where it is above 0, goes before the second.
_COMPARED_TOKENS, _COMPARED_BLOCKS = "maxPrefixTokensToMatch", "maxPrefixBlocksToMatch"

# By this factor the index of prefixes is larger than the engine's cache: texts have up to 6 characters a token, where
# pickers count 4, and the estimate of the cache errs. With an index that is too small, a prompt goes elsewhere although
# its prefix is cached, and is kept twice. With one that is too large, it goes where its prefix once was, which costs
# nothing (docs/measurements/serving.md, Routing by prefix).
_INDEX_MARGIN = 2
# Entries of one replica's index: the pickers' own default (lruCapacityPerServer), which v1.5.0 always has. An entry
# took 0.7 KiB of the picker's memory (v0.7.1, 204,800 entries, 2026-11-28).
_MAX_ENTRIES = 31_250

Config = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the load and prefix scorers. A scorer of weight 0 is left out, because it would have no effect.

    `no_hit` is that of the scorer which spreads prompts that no replica has cached.
    """

    prefix: float
    kv_cache: float
    queue: float
    no_hit: float = 0


@dataclass(frozen=True, kw_only=True)
class PreciseIndex:
    """Sources of tokens and events for the precise index: a vLLM that renders `model`, and the engines' event port."""

    model: str
    tokenizer_url: str
    event_port: int


@dataclass(frozen=True)
class PrefixIndex:
    """How prompts are cut into blocks and remembered.

    `block_tokens` of None leaves the size of blocks to the picker. `cached_tokens` are what one engine's cache is
    estimated to hold; None leaves the size of the approximate index to the picker. `longest_tokens` are those of the
    longest request; None leaves to the picker how much of a prompt it compares.
    """

    block_tokens: int | None = None
    precise: PreciseIndex | None = None
    cached_tokens: int | None = None
    longest_tokens: int | None = None


@dataclass(frozen=True)
class Queue:
    """Requests wait in the picker while all replicas are busy: by metrics, or above `max_concurrency` on each."""

    max_concurrency: int | None = None


def can_disaggregate(picker: Picker) -> bool:
    """Whether a picker can route prefill and decode of a request to different replicas."""
    return picker.has("disagg-profile-handler") or picker.has("pd-profile-handler")


def can_spread_misses(picker: Picker) -> bool:
    """Whether a picker can spread the prompts that no replica has cached."""
    return picker.has(NO_HIT)


def can_index_precisely(picker: Picker) -> bool:
    """Whether a picker can process KV events of the engines, with tokens from a vLLM."""
    return picker.has(PRECISE)


def can_queue(picker: Picker) -> bool:
    """Whether a picker can hold requests in queues by priority, from which clients take turns.

    Earlier ones have the feature gate, and one queue for all priorities.
    """
    return _GATE in picker.feature_gates and picker.has(_TURNS)


def can_count(picker: Picker) -> bool:
    """Whether a picker can hold requests back by the number of those in progress, as it is at the moment."""
    detector = picker.plugins.get(_CONCURRENCY)
    return can_queue(picker) and detector is not None and detector.as_detector is None


def load_and_prefix(
    picker: Picker,
    api: str,
    weights: Weights,
    index: PrefixIndex,
    *,
    https: bool = False,
    queue: Queue | None = None,
) -> Config:
    """One profile that weighs prefix match, free KV cache and short queue.

    `api` is the document's apiVersion. `https`: engines' metrics are scraped over HTTPS, and the picker has no flag for
    that. With a `queue`, requests wait in the picker while all replicas are busy.
    """
    scoring = _Scoring(picker, weights, index)
    # The picker's own data layer takes the source that is configured under its type.
    plugins = [*scoring.plugins, *([_plugin(picker, METRICS, scheme="https")] if https else [])]
    profiles = [_profile("default", scoring.references)]
    return _document(picker, api, {"plugins": plugins, "schedulingProfiles": profiles, **scoring.data_layer}, queue)


def disaggregated(
    picker: Picker,
    api: str,
    weights: Weights,
    index: PrefixIndex,
    prefill_from_tokens: int,
    *,
    queue: Queue | None = None,
) -> Config:
    """Profiles prefill and decode. Prefill is separate if a prompt has `prefill_from_tokens` tokens that the decode
    replica does not cache; 0 is always.

    The picker must be able to (`can_disaggregate`).
    """
    scoring = _Scoring(picker, weights, index)
    stages = [
        _profile(stage, [{"pluginRef": f"{stage}-filter"}, *scoring.references, {"pluginRef": "max-score-picker"}])
        for stage in ("prefill", "decode")
    ]
    common = [
        *(_plugin(picker, kind) for kind in ("prefill-filter", "decode-filter")),
        *scoring.plugins,
        _plugin(picker, "max-score-picker"),
    ]
    plugins = [*common, *_handler(picker, index.block_tokens, prefill_from_tokens)]
    # Without it the decider would never learn what a replica caches, and keep every prompt where it decodes.
    gates = [gate for gate in picker.feature_gates if gate == _PREPARED]
    parts = {"featureGates": gates, "plugins": plugins, "schedulingProfiles": stages, **scoring.data_layer}
    return _document(picker, api, parts, queue)


def _handler(picker: Picker, block_tokens: int | None, prefill_from_tokens: int) -> list[Config]:
    if picker.has("disagg-profile-handler"):
        decider, parameters = (
            (PREFIX_DECIDER, {"nonCachedTokens": prefill_from_tokens})
            if prefill_from_tokens
            else ("always-disagg-pd-decider", {})
        )
        # Later pickers' profile handler sets the sidecar's header itself and deprecates or lacks this plugin.
        headers = picker.plugins.get("disagg-headers-handler")
        return [
            *([_plugin(picker, headers.type)] if headers is not None and headers.deprecated is None else []),
            _plugin(picker, decider, **parameters),
            _plugin(picker, "disagg-profile-handler", deciders={"prefill": decider}),
        ]
    # The older handler decides by itself, in characters, and tells the sidecar through another plugin.
    sizes = {"hashBlockSize": block_tokens * _CHARACTERS_A_TOKEN} if block_tokens else {}
    return [
        _plugin(picker, "prefill-header-handler"),
        _plugin(picker, "pd-profile-handler", threshold=prefill_from_tokens * _CHARACTERS_A_TOKEN, **sizes),
    ]


class _Scoring:
    """The scorers in use, what they read, and the entries of a profile that name them."""

    def __init__(self, picker: Picker, weights: Weights, index: PrefixIndex) -> None:
        # The scorer of prompts without a hit reads what the prefix scorer before it found.
        no_hit = weights.no_hit if weights.prefix > 0 else 0
        weighed = [
            (PREFIX, weights.prefix),
            (KV_CACHE, weights.kv_cache),
            (QUEUE, weights.queue),
            (NO_HIT, no_hit),
        ]
        used = [(kind, weight) for kind, weight in weighed if weight > 0]
        # A fraction where only whole weights go is refused with the settings; what else is wrong is still looked for.
        whole_weights = picker.document == "v1.2"
        self.references = [
            {"pluginRef": kind, "weight": math.ceil(weight) if whole_weights else _number(weight)}
            for kind, weight in used
        ]
        self.data_layer: Config = {}
        producers: list[Config] = []
        parameters: dict[str, Config] = {}
        if weights.prefix > 0 and index.precise is not None:
            producers = _precise_index_plugins(picker, index.block_tokens, index.precise)
            parameters[PREFIX] = {"prefixMatchInfoProducerName": PRECISE}
            source = {"pluginRef": _NOTIFICATIONS, "extractors": [{"pluginRef": PRECISE}]}
            self.data_layer = {"dataLayer": {"sources": [source]}}
        elif weights.prefix > 0 and index.block_tokens is not None:
            producers, parameters[PREFIX] = _approximate_index_plugins(picker, index.block_tokens, index)
        if no_hit > 0:
            parameters[NO_HIT] = _no_hit_parameters(picker, parameters.get(PREFIX, {}))
        self.plugins = [*producers, *(_plugin(picker, kind, **parameters.get(kind, {})) for kind, _ in used)]


def _approximate_index_plugins(picker: Picker, block_tokens: int, index: PrefixIndex) -> tuple[list[Config], Config]:
    """Plugins before the prefix scorer, and its parameters. Versions differ in which plugin has the index."""
    scorer = picker.plugins[PREFIX]
    takes = parameters_of(scorer).model_fields
    in_scorer = not takes.keys().isdisjoint({"blockSize", "blockSizeTokens"})
    holder = scorer if in_scorer else picker.plugins[APPROXIMATE]
    size, sized = _index(block_tokens, index.cached_tokens, 0 if in_scorer else holder.least_block_tokens)
    parameters = sized | _compared(holder, size, index.longest_tokens or 0)
    if "blockSize" in takes:
        return [], {"blockSize": size * _CHARACTERS_A_TOKEN, **parameters}
    if in_scorer:
        used = {name: value for name, value in parameters.items() if name not in scorer.unused}
        return [], {"blockSizeTokens": size, **used}
    # A scorer without an explicit producer creates one, with defaults.
    producer = _plugin(picker, APPROXIMATE, blockSizeTokens=size, **parameters)
    return [producer], {"prefixMatchInfoProducerName": APPROXIMATE}


def _compared(holder: Plugin, size: int, longest: int) -> Config:
    """How much of a prompt is compared, where the plugin's default ends before the longest one does.

    Beyond that all replicas look equal (hashPrompt of gateway-api-inference-extension v1.2.0 and v1.5.0, 256 blocks).
    """
    defaults = {name: field.default for name, field in parameters_of(holder).model_fields.items()}
    tokens = defaults.get(_COMPARED_TOKENS) or 0
    if longest <= (tokens or defaults[_COMPARED_BLOCKS] * size):
        return {}
    return {_COMPARED_TOKENS: longest} if tokens else {_COMPARED_BLOCKS: math.ceil(longest / size)}


def _index(block_tokens: int, cached_tokens: int | None, least: int) -> tuple[int, Config]:
    """Tokens of a block, and an index of a given size instead of as many entries as the engine reports blocks.

    `least` are the tokens to which the picker itself raises smaller blocks. Blocks of large caches are larger, in whole
    ones, so that the index stays small.
    """
    if least >= _INDEX_MARGIN * block_tokens:
        # As many entries as the engine has blocks suffice, since each holds more by the margin.
        return block_tokens, {}
    smallest = max(least, block_tokens)
    if cached_tokens is None:
        return smallest, {}
    tokens = _INDEX_MARGIN * cached_tokens
    size = smallest * max(1, math.ceil(tokens / (_MAX_ENTRIES * smallest)))
    return size, {"autoTune": False, "lruCapacityPerServer": math.ceil(tokens / size)}


def _no_hit_parameters(picker: Picker, prefix: Config) -> Config:
    """Parameters that connect the no-hit scorer with the data of the prefix scorer."""
    takes = parameters_of(picker.plugins[NO_HIT]).model_fields
    return prefix if "prefixMatchInfoProducerName" in takes else {}


def _precise_index_plugins(picker: Picker, block_tokens: int | None, index: PreciseIndex) -> list[Config]:
    size = {"tokenProcessorConfig": {"blockSizeTokens": block_tokens}} if block_tokens else {}
    events = {"discoverPods": True, "podDiscoveryConfig": {"socketPort": index.event_port}}
    return [
        _plugin(picker, _TOKENS, modelName=index.model, vllm={"url": index.tokenizer_url}),
        _plugin(picker, _NOTIFICATIONS),
        _plugin(picker, PRECISE, **size, kvEventsConfig=events),
    ]


def _plugin(picker: Picker, kind: str, **parameters: Any) -> Config:
    """One entry. Raises KeyError or ValidationError if the picker lacks the plugin or its parameters."""
    read_parameters(picker.plugins[kind], parameters)
    return {"type": kind} | ({"parameters": parameters} if parameters else {})


def _profile(name: str, plugins: Sequence[Mapping[str, Any]]) -> Config:
    return {"name": name, "plugins": [dict(plugin) for plugin in plugins]}


def _document(picker: Picker, api: str, parts: Config, queue: Queue | None) -> Config:
    """The whole document, in the shape of the picker's version. `parts` are its keys but those of the queue."""
    flow_control: Config = {}
    gates, plugins = parts.get("featureGates", []), parts["plugins"]
    if queue is not None:
        # Without a reference all bands have a policy that serves the oldest request, from any client.
        flow_control = {"defaultPriorityBand": {"fairnessPolicyRef": _TURNS}}
        gates = [*gates, _GATE]
        plugins = [*plugins, _plugin(picker, _TURNS)]
        if queue.max_concurrency is not None:
            plugins = [*plugins, _plugin(picker, _CONCURRENCY, maxConcurrency=queue.max_concurrency)]
            flow_control |= {"saturationDetector": {"pluginRef": _CONCURRENCY}}
    written = {
        "apiVersion": api,
        "kind": "EndpointPickerConfig",
        **parts,
        "featureGates": gates,
        "plugins": plugins,
        "flowControl": flow_control,
    }
    written = {key: value for key, value in written.items() if value}
    shape = DOCUMENTS[picker.document]
    checked = shape.model_validate_json(json.dumps(written))
    return checked.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _number(weight: float) -> int | float:
    return int(weight) if weight == int(weight) else weight
