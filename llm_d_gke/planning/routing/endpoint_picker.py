"""The inference pool of one model and its endpoint picker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llm_d_gke.planning.alternatives import releases_with_picker
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.ports import PORT
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.picker_config import (
    PreciseIndex,
    PrefixIndex,
    Queue,
    Weights,
    can_count,
    can_queue,
    can_spread_misses,
    check_blocks,
    check_config,
    check_scraping,
    check_state,
    check_tokenizers,
    disaggregated,
    load_and_prefix,
    prefix_plugin,
    queues_requests,
    written_config,
)
from llm_d_gke.planning.plan.estimates import MemoryVerdict
from llm_d_gke.planning.plan.platform import PullSecretPlan
from llm_d_gke.planning.plan.pods import EnvPlan, ProbePlan
from llm_d_gke.planning.plan.routing import PickerPlan, PoolPlan, TokenizerServicePlan
from llm_d_gke.planning.platform.autopilot_pods import spreadable_size
from llm_d_gke.planning.routing.edge import backend_access
from llm_d_gke.planning.routing.ext_proc_pod import CONFIG_DIRECTORY, ExtProcProgram, ext_proc_pod, port_arguments
from llm_d_gke.planning.routing.fleet import plan_fleet
from llm_d_gke.planning.routing.picker_index import check_index, check_memory
from llm_d_gke.planning.routing.priorities import check_priorities, plan_objectives
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving import multi_node
from llm_d_gke.planning.serving.backend_tls import encrypted, plan_backend_tls
from llm_d_gke.planning.serving.backends import ExtProcIdentity, backend_of
from llm_d_gke.planning.serving.engine_paths import HEALTH_PATH, MODELS_PATH
from llm_d_gke.planning.serving.kv_block_size import block_size_of, engine_block
from llm_d_gke.planning.serving.kv_events import EVENTS_PORT, check_events, follows_events
from llm_d_gke.planning.serving.labels import METRIC_LABEL, selector_of
from llm_d_gke.planning.serving.model_server import prefix_caching_of
from llm_d_gke.planning.serving.shutdown import DRAIN_SECONDS, NOTICE_SECONDS
from llm_d_gke.settings.disaggregation import DisaggregationSettings
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.settings.picker import PickerSettings

# The one identity of a namespace that may read pickers' metrics.
METRICS_READER = "picker-metrics-reader"
# The load balancer probes a picker's gRPC health on 9003 by itself; another port would need a HealthCheckPolicy.
GRPC_PORT, HEALTH_PORT, METRICS_PORT = 9002, 9003, 9090

CONFIG_FILE = "picker.yaml"

# Below the weight of a queue: a replica where requests wait gets no new prompts because it is its turn.
_NO_HIT_WEIGHT = 1.0


def plan_pool(served: ServedModel, key: str) -> PoolPlan:
    """InferencePool, health check and backend policy of one model."""
    ctx, settings, parallelism = served.ctx, served.ctx.settings, served.parallelism
    pool = backend_of(settings).pool(key, multi_node.serving_labels(parallelism))
    return PoolPlan(
        name=pool.name,
        implementation=settings.gateway.implementation,
        tls=plan_backend_tls(ctx, key, pool.name),
        selector=pool.selector,
        target_ports=tuple(PORT + rank for rank in range(parallelism.ranks_per_host)),
        picker_service=pool.picker_service,
        picker_port=GRPC_PORT,
        failure_mode="FailOpen" if settings.picker.failure_mode == "open" else "FailClose",
        # A routing sidecar may say by itself that it is well, whatever its engine does.
        health_path=HEALTH_PATH if ctx.role == "both" else MODELS_PATH,
        health_port=multi_node.health_port(parallelism),
        health_interval=5,
        timeout_seconds=settings.gateway.timeout_seconds,
        draining_seconds=DRAIN_SECONDS,
        access=backend_access(ctx),
        objectives=plan_objectives(ctx, pool.name),
        fleet=plan_fleet(ctx),
        metric_selector={METRIC_LABEL: key} if settings.fleet is not None else None,
    )


def plan_picker(
    served: ServedModel,
    key: str,
    namespace: str,
    pull_secret: PullSecretPlan | None,
    memory: MemoryVerdict | None = None,
) -> PickerPlan:
    """The picker's Deployment, Service, permissions and configuration.

    `memory` is what is known of the engine's KV cache.
    """
    ctx, settings = served.ctx, served.ctx.settings.picker
    identity = backend_of(ctx.settings).picker(key, ctx.release)
    tokenizer = _tokenizer_service(served, key)
    config = _config(served, _precise_index(served.settings, tokenizer, namespace), memory)
    _check_model(served)
    if served.index == 0:
        _check_failure_mode(ctx)
    elects = _elects_leader(settings)
    program = _program(ctx, key, namespace, identity)
    # A leader hands over when it ends. Until then the others are not ready, so waiting before the end would delay them.
    notice_seconds = 0 if elects else NOTICE_SECONDS
    pod = ext_proc_pod(identity, program, spreadable_size(ctx, settings), config, notice_seconds, pull_secret)
    return PickerPlan(
        name=identity.name,
        replicas=settings.replicas,
        lease=f"epp-{namespace}-{_pool_name(ctx, key)}.{ctx.picker.lease_domain}" if elects else None,
        ready_replicas=1 if elects else settings.replicas,
        max_unavailable=settings.replicas if elects else 0,
        wait_for=_until_leader_is_ready(settings.replicas) if elects else (),
        pod=replace(pod, annotations={**pod.annotations, **_objectives(ctx)}),
        selector=identity.selector,
        grpc_port=GRPC_PORT,
        health_port=HEALTH_PORT,
        metrics_port=METRICS_PORT,
        config=config,
        config_file=CONFIG_FILE,
        objective_groups=ctx.release.picker.objective_groups,
        metrics_reader=METRICS_READER if ctx.settings.monitoring.enabled else None,
        tokenizer_service=tokenizer,
    )


def _objectives(ctx: PlanContext) -> Mapping[str, str]:
    """An annotation that restarts pickers with the first priority: they look for InferenceObjectives at their start."""
    return {"llm-d.ai/inference-objectives": "true"} if ctx.settings.gateway.priorities else {}


def _tokenizer_service(served: ServedModel, key: str) -> TokenizerServicePlan | None:
    """The Service by which a precise index turns prompts into tokens; None where the index is approximate."""
    if not follows_events(served.ctx):
        return None
    # Workers of a Ray group serve no requests, and count as ready: some prompts would get no tokens.
    leaders = multi_node.serving_labels(served.parallelism)
    return TokenizerServicePlan(name=f"{key}-render", selector={**selector_of(key), **leaders}, port=PORT)


def _precise_index(model: ModelSettings, tokenizer: TokenizerServicePlan | None, namespace: str) -> PreciseIndex | None:
    if tokenizer is None:
        return None
    return PreciseIndex(
        model=model.name,
        tokenizer_url=f"http://{tokenizer.name}.{namespace}:{tokenizer.port}",
        event_port=EVENTS_PORT,
    )


def _pool_name(ctx: PlanContext, key: str) -> str:
    return backend_of(ctx.settings).pool(key, {}).name


def _elects_leader(settings: PickerSettings) -> bool:
    return settings.replicas > 1 and settings.leader_election


def _check_failure_mode(ctx: PlanContext) -> None:
    """Warns of the effect on clients when a picker ends."""
    settings = ctx.settings.picker
    if settings.failure_mode == "close" and _elects_leader(settings):
        ctx.warning("LLMD-PICKER-FAILOVER", "picker.failureMode")
    if settings.failure_mode == "open" and not pattern_of(ctx.settings).transfers_kv_cache:
        ctx.warning("LLMD-PICKER-FAIL-OPEN", "picker.failureMode")


def _program(ctx: PlanContext, key: str, namespace: str, identity: ExtProcIdentity) -> ExtProcProgram:
    """The picker's image, arguments, ports and probes."""
    settings, release = ctx.settings.picker, ctx.release.picker
    elects = _elects_leader(settings)
    experimental = ctx.picker.experimental_flag
    ports = (GRPC_PORT, HEALTH_PORT, METRICS_PORT)
    return ExtProcProgram(
        image=release.image,
        args=(
            f"--pool-name={_pool_name(ctx, key)}",
            f"--pool-namespace={namespace}",
            *release.flags,
            # Every picker of the catalog has this flag (llm_d_gke/catalog/upstream.yaml).
            *((f"--v={settings.verbosity}",) if settings.verbosity is not None else ()),
            *_scraping(ctx),
            *((f"--config-file={CONFIG_DIRECTORY}/{CONFIG_FILE}",) if identity.mounts_config else ()),
            *port_arguments(*ports),
            *((f"--{release.leader_election_flag}",) if elects else ()),
            *((f"--{experimental}",) if settings.allow_experimental_plugins and experimental else ()),
        ),
        env=(
            EnvPlan(name="NAMESPACE", field_path="metadata.namespace"),
            EnvPlan(name="POD_NAME", field_path="metadata.name"),
        ),
        ports=ports,
        # With an election only the leader is ready, and the readiness service has a separate name.
        liveness=_health("liveness" if elects else "inference-extension", delay=5, period=10),
        readiness=_health("readiness" if elects else "inference-extension", delay=identity.readiness_delay, period=2),
        node_selector=ctx.own_nodes,
    )


def _scraping(ctx: PlanContext) -> tuple[str, ...]:
    """The flags for scraping engines' metrics. No picker verifies certificates by default."""
    flag = ctx.release.picker.metrics_scheme_flag
    return (f"--{flag}=https",) if flag is not None and encrypted(ctx) else ()


def _until_leader_is_ready(replicas: int) -> tuple[str, ...]:
    """Conditions to wait for: only the leader is ready, so a Deployment of pickers that elect one is never complete."""
    return (
        f"jsonpath={{.status.updatedReplicas}}={replicas}",
        f"jsonpath={{.status.replicas}}={replicas}",
        "jsonpath={.status.readyReplicas}=1",
    )


def _health(service: str, delay: int, period: int) -> ProbePlan:
    return ProbePlan(port=HEALTH_PORT, grpc_service=service, initial_delay=delay, period=period, timeout=5, failures=3)


def check_picker(ctx: PlanContext) -> None:
    """Check the picker's settings that do not depend on the model."""
    check_config(ctx)
    check_events(ctx)
    check_state(ctx)
    check_priorities(ctx)
    check_scraping(ctx, "https" if encrypted(ctx) else "http")
    check_tokenizers(ctx)
    check_memory(ctx)
    check_index(ctx)
    if ctx.settings.picker.config is None:
        _check_weights(ctx)
        _check_no_hit_weight(ctx)
        _check_spread(ctx)


def _check_weights(ctx: PlanContext) -> None:
    """Weights that the picker's configuration can hold, one of them above 0."""
    weights = ctx.settings.picker.scorers
    stated = [weight for weight in weights.model_dump().values() if weight is not None]
    fractions = [weight for weight in stated if weight != int(weight)]
    if fractions and ctx.picker.document == "v1.2":
        ctx.error("LLMD-SCORER-WHOLE", "picker.scorers", value=", ".join(f"{weight:g}" for weight in fractions))
    if not any((weights.prefix_cache, weights.kv_cache_utilization, weights.queue)):
        ctx.error("LLMD-SCORER-NONE", "picker.scorers", value="all 0")


def _check_no_hit_weight(ctx: PlanContext) -> None:
    """The weight of the no-hit scorer needs a picker that has this scorer, and prefix routing."""
    weights = ctx.settings.picker.scorers
    if weights.no_hit_lru and not can_spread_misses(ctx.picker):
        having = releases_with_picker(ctx.catalog, can_spread_misses)
        ctx.error(
            "LLMD-SCORER-NO-HIT",
            "picker.scorers.noHitLru",
            case="unknown",
            value=f"{weights.no_hit_lru:g}",
            having=" or ".join(having),
        )
    if weights.no_hit_lru and not weights.prefix_cache:
        ctx.error(
            "LLMD-SCORER-NO-HIT",
            "picker.scorers.noHitLru",
            case="no-prefix",
            value=f"{weights.no_hit_lru:g}, with prefixCache: 0",
        )


def _check_spread(ctx: PlanContext) -> None:
    """Warns of prefix scores without load scores: all requests with one prefix go to one replica."""
    weights = ctx.settings.picker.scorers
    several = any(model.replicas > 1 for model in ctx.settings.models)
    if weights.prefix_cache > 0 and not (weights.kv_cache_utilization or weights.queue) and several:
        ctx.warning("LLMD-SCORER-PREFIX-ONLY", "picker.scorers", value=f"prefixCache: {weights.prefix_cache:g} alone")


def _config(served: ServedModel, precise: PreciseIndex | None, memory: MemoryVerdict | None) -> dict[str, Any]:
    """EndpointPickerConfig of one model's picker."""
    ctx = served.ctx
    written = written_config(ctx)
    if written is not None:
        return dict(written)
    scorers, api = ctx.settings.picker.scorers, ctx.release.picker.config_api
    prefix = 0.0 if _gives_up_prefixes(served) else scorers.prefix_cache
    weights = Weights(prefix=prefix, kv_cache=scorers.kv_cache_utilization, queue=scorers.queue)
    most = ctx.settings.picker.max_concurrency if can_count(ctx.picker) else None
    queue = Queue(most) if queues_requests(ctx) and can_queue(ctx.picker) else None
    longest = memory.max_model_len if memory is not None else served.settings.max_model_len
    index = PrefixIndex(block_size_of(served), precise, longest_tokens=longest)
    # Disaggregated stages are never encrypted.
    https = encrypted(ctx) and ctx.release.picker.metrics_scheme_flag is None
    if ctx.role == "both" or ctx.release.disaggregation is None:
        if not _sizes_index(served):
            return load_and_prefix(ctx.picker, api, weights, index, https=https, queue=queue)
        block_size = index.block_tokens or engine_block(served)
        # Without the size of blocks no producer is named, by which later pickers' scorer finds matches.
        spreads = can_spread_misses(ctx.picker) and block_size is not None
        default = _NO_HIT_WEIGHT if spreads else 0.0
        no_hit = scorers.no_hit_lru if scorers.no_hit_lru is not None else default
        weights = replace(weights, no_hit=no_hit if spreads else 0.0)
        index = replace(index, block_tokens=block_size, cached_tokens=_cached_tokens(served, memory))
        return load_and_prefix(ctx.picker, api, weights, index, https=https, queue=queue)
    stages = ctx.settings.disaggregation or DisaggregationSettings()
    return disaggregated(ctx.picker, api, weights, index, stages.prefill_from_tokens, queue=queue)


def _gives_up_prefixes(served: ServedModel) -> bool:
    """Whether the engine is to cache no prefixes, and only the default weight asks the picker to score them."""
    settings = served.ctx.settings
    is_stated = (
        settings.picker.config is not None
        or settings.picker.prefix_routing == "precise"
        or "prefix_cache" in settings.picker.scorers.model_fields_set
        or bool(settings.picker.scorers.no_hit_lru)
        or pattern_of(settings).relies_on_prefixes
        or served.ctx.role != "both"
    )
    return served.settings.prefix_caching is False and not is_stated


def _sizes_index(served: ServedModel) -> bool:
    """Whether the picker's index is sized by the engine's cache, and prompts without a hit are spread.

    By the pattern and not by the number of replicas: one more replica does not restart the picker, whose index would be
    lost.
    """
    settings, several_ranks = served.ctx.settings, served.parallelism.data > 1
    return pattern_of(settings).relies_on_prefixes or several_ranks or bool(settings.picker.scorers.no_hit_lru)


def _cached_tokens(served: ServedModel, memory: MemoryVerdict | None) -> int | None:
    """Tokens that one engine keeps, on its accelerators and in its host's memory.

    None where that is not known, and where not one token fits: such a stack is refused for its memory.
    """
    if memory is None or memory.available_gib <= 0:
        return None
    layout = served.parallelism
    on_accelerators = memory.available_gib * layout.tensor * layout.pipeline
    tokens = memory.replica_tokens / layout.data
    return round(tokens * (1 + (served.settings.kv_offload_gib or 0) / on_accelerators)) or None


def _check_model(served: ServedModel) -> None:
    """Check the picker's assumptions about one model's servers."""
    ctx, block = served.ctx, engine_block(served)
    if block is not None:
        check_blocks(served, block)
    scores = prefix_plugin(ctx)
    if scores is None or prefix_caching_of(served) or _gives_up_prefixes(served):
        return
    settings = ctx.settings.picker
    relies_on_prefixes = pattern_of(ctx.settings).relies_on_prefixes
    weight = f" (weight {settings.scorers.prefix_cache:g})" if settings.config is None else f" ({scores})"
    instead = "llm-d:picker.scorers.prefixCache to 0" if settings.config is None else f"up {scores}"
    served.error(
        "LLMD-PREFIX-CACHING-OFF",
        "prefixCaching",
        weight=weight,
        fix="remove prefixCaching"
        + ("" if relies_on_prefixes else f", or {'set' if settings.config is None else 'give'} {instead}"),
    )
