"""The vLLM Deployment of one model: arguments, environment, probes, place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import download_gib
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.context import COMPUTE_CLASS_LABEL, PlanContext
from llm_d_gke.planning.engine_support.deployment import default_dtype
from llm_d_gke.planning.parallelism.layout import Parallelism
from llm_d_gke.planning.parallelism.ports import PORT
from llm_d_gke.planning.picker_config import prefix_plugin
from llm_d_gke.planning.plan.estimates import MemoryVerdict
from llm_d_gke.planning.plan.infrastructure import INTERNAL_LOAD_BALANCER, PRIVATE, TaintPlan
from llm_d_gke.planning.plan.platform import HuggingFacePlan, PullSecretPlan
from llm_d_gke.planning.plan.pods import ConfigFilePlan, EnvPlan, PodPlan, PortPlan, VolumePlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.platform.autopilot_pods import autopilot_selector
from llm_d_gke.planning.platform.engine_images import image_of
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving import multi_node
from llm_d_gke.planning.serving.autoscaling import check_held_back, check_kserve, check_zero
from llm_d_gke.planning.serving.backend_tls import ServerTls, server_tls
from llm_d_gke.planning.serving.backends import backend_of
from llm_d_gke.planning.serving.backends.base import ServerNames
from llm_d_gke.planning.serving.engine_checks import attention_argument
from llm_d_gke.planning.serving.engine_environment import stack_variables
from llm_d_gke.planning.serving.engine_features import (
    chat_template_volume,
    check_features,
    check_host_memory,
    feature_arguments,
    plan_chat_template,
)
from llm_d_gke.planning.serving.engine_paths import WEIGHTS
from llm_d_gke.planning.serving.extra_args import flag_of, runs_remote_code
from llm_d_gke.planning.serving.hub_revision import revision_of
from llm_d_gke.planning.serving.kv_block_size import block_argument, check_raised_blocks
from llm_d_gke.planning.serving.kv_events import EVENTS, EVENTS_PORT, check_image_prompts, follows_events, publisher
from llm_d_gke.planning.serving.labels import METRIC_LABEL, ROLE_LABEL, selector_of
from llm_d_gke.planning.serving.lora_adapters import adapter_arguments, check_adapters
from llm_d_gke.planning.serving.model_checks import check_model
from llm_d_gke.planning.serving.pod_volumes import annotations_of, buckets_of, volumes_of
from llm_d_gke.planning.serving.probes import engine_probes
from llm_d_gke.planning.serving.recurrent_cache import check_recurrent_cache
from llm_d_gke.planning.serving.resources import has_spare, least_replicas, limits, node_share, requests
from llm_d_gke.planning.serving.server_role import ServerRole
from llm_d_gke.planning.serving.shutdown import DRAIN_SECONDS, END_SECONDS, LISTED_SECONDS, NOTICE_SECONDS
from llm_d_gke.planning.serving.startup import pull_seconds, start_up_budget
from llm_d_gke.planning.serving.weight_source import check_weight_source
from llm_d_gke.planning.sizing.memory_check import run_of
from llm_d_gke.planning.sizing.speed import simulation
from llm_d_gke.settings.models import BucketSource, ImageSource, ModelSettings, VolumeClaimSource

# Above 10000, so that it never meets a user of the node.
_USER = 12000

# Size of a model the catalog does not know: large enough for the budget not to cut a start short.
_UNKNOWN_GIB = 40.0


def model_gib(served: ServedModel) -> float:
    return download_gib(served.model) if served.model is not None else _UNKNOWN_GIB


def node_gib(models: Sequence[ServedModel]) -> float:
    """The most that pods of these models download onto the disk of a node that they fill."""
    copies = shared = whole = 0.0
    for served in models:
        size, share = model_gib(served), node_share(served.ctx, served.parallelism)
        if served.settings.source.kind == "image":
            # Pulled once for all replicas; the layers lie beside the files until they are unpacked.
            shared, whole = (shared, max(whole, 2 * size)) if share == 1 else (shared + 2 * size, whole)
        elif served.settings.source.kind != "volume-claim":
            # Each pod has a copy of its own. A bucket's files pass through a cache on the node's disk.
            copies = max(copies, size / share)
    return max(copies + shared, whole)


def weights_of(settings: ModelSettings) -> str:
    """The first argument of `vllm serve`: a repository of the Hub, or a folder."""
    match settings.source:
        case BucketSource(path=path) | VolumeClaimSource(path=path):
            return f"{WEIGHTS}/{path.strip('/')}"
        case ImageSource(reference=None, path=path):
            return f"/{path.strip('/')}"
        case ImageSource(path=path):
            # The root of the image is a folder, too.
            return f"{WEIGHTS}/{path.strip('/')}".rstrip("/")
        case _:
            return settings.id


@dataclass(frozen=True, kw_only=True)
class _Server:
    """What the pod of one model's servers follows from."""

    served: ServedModel
    key: str
    role: ServerRole
    names: ServerNames
    tls: ServerTls
    # GiB of the boot disk of the accelerator nodes, and of the weights.
    disk_gib: int
    weights_gib: float
    # Seconds that a start may take.
    budget: int
    hugging_face: HuggingFacePlan
    template: ConfigFilePlan | None
    # Of the engine itself, without what encryption adds: workers of a group get the same.
    arguments: tuple[str, ...]
    volumes: tuple[VolumePlan, ...]

    @property
    def selector(self) -> Mapping[str, str]:
        return {**selector_of(self.key), **self.role.selector}


def plan_model_server(
    served: ServedModel,
    key: str,
    disk_gib: int,
    hugging_face: HuggingFacePlan,
    pull_secret: PullSecretPlan | None,
    role: ServerRole,
) -> ModelServerPlan:
    """One model's servers in one role. `disk_gib` is the boot disk of the accelerator nodes."""
    ctx, settings, parallelism = served.ctx, served.settings, served.parallelism
    memory = _check(served)
    run = run_of(served) if memory is not None else None
    server = _server(served, key, disk_gib, hugging_face, role)
    names = server.names
    rollout = backend_of(ctx.settings).rollout(spare=has_spare(served), multi_node=parallelism.is_multi_node)
    pod = _engine_pod(server, pull_secret)
    workers = multi_node.worker_pod(ctx, parallelism, pod, server.arguments, server.volumes)
    uses_secret_manager = hugging_face.secret_manager is not None and settings.source.kind == "hugging-face"
    return ModelServerPlan(
        name=names.workload,
        role=role.name,
        group=multi_node.plan_leader_worker(ctx, parallelism, workers),
        claim_template=multi_node.claim_template(ctx, parallelism, names.claim_template),
        service_account=names.service_account,
        replicas=0 if ctx.settings.paused else least_replicas(settings),
        hardware=_hardware(ctx, parallelism),
        pod=pod,
        selector=server.selector,
        serving_selector={**server.selector, **multi_node.serving_labels(parallelism)},
        serving_ports=multi_node.serving_ports(parallelism),
        start_up_seconds=server.budget + pull_seconds(server.weights_gib if settings.source.kind == "image" else 0.0),
        max_surge=rollout.max_surge,
        max_unavailable=rollout.max_unavailable,
        buckets=buckets_of(settings),
        chat_template=server.template,
        workload_identity_secret=hugging_face.secret_manager if uses_secret_manager else None,
        memory=memory,
        latency=simulation(run, ctx.accelerator, verdict=memory) if run is not None else None,
        protocol=server.tls.protocol,
        # The Service bypasses the picker, so only decode servers answer.
        direct_service=names.direct_service
        if ctx.settings.gateway.direct_load_balancer and role.takes_requests
        else None,
        direct_annotations=INTERNAL_LOAD_BALANCER,
        direct_sources=tuple(map(str, PRIVATE)),
    )


def _server(served: ServedModel, key: str, disk_gib: int, hugging_face: HuggingFacePlan, role: ServerRole) -> _Server:
    ctx, size = served.ctx, model_gib(served)
    names = backend_of(ctx.settings).server_names(key, role.name, multi_node=served.parallelism.is_multi_node)
    template = plan_chat_template(served, names.service_account)
    return _Server(
        served=served,
        key=key,
        role=role,
        names=names,
        tls=server_tls(ctx, key),
        disk_gib=disk_gib,
        weights_gib=size,
        budget=start_up_budget(ctx.accelerator.kind, size, served.settings.source.kind),
        hugging_face=hugging_face,
        template=template,
        arguments=(*_arguments(served, role.port.number, template), *role.args),
        volumes=(*volumes_of(served, hugging_face, disk_gib, size), *chat_template_volume(template)),
    )


def _engine_pod(server: _Server, pull_secret: PullSecretPlan | None) -> PodPlan:
    """The pod of one replica, or of the leader of its group."""
    served, role = server.served, server.role
    ctx, settings, parallelism = served.ctx, served.settings, served.parallelism
    backend = backend_of(ctx.settings)
    drains = can_drain(served)
    # An engine that cuts its requests at SIGTERM gets it when they have ended.
    pre_stop = NOTICE_SECONDS if drains else DRAIN_SECONDS
    exception = multi_node.security_exception(ctx, parallelism)
    claim = multi_node.claim_template(ctx, parallelism, server.names.claim_template)
    startup, liveness, readiness = engine_probes(parallelism, role.port.number, server.tls.scheme, server.budget)
    container_limits = limits(ctx, parallelism, server.disk_gib)
    check_host_memory(served, container_limits)
    return PodPlan(
        container=backend.container,
        image=image_of(ctx, settings),
        labels=backend.pod_labels({**server.selector, **_labels(server.key, role), **_metric_label(ctx, server.key)}),
        annotations=annotations_of(served, server.hugging_face, server.disk_gib, server.weights_gib),
        command=backend.engine_command(multi_node.command(ctx, parallelism), ctx.release),
        args=(*server.arguments, *server.tls.args),
        env=_variables(server),
        ports=(
            *multi_node.ports(parallelism, role.port),
            *((PortPlan(name=EVENTS, number=EVENTS_PORT),) if follows_events(ctx) else ()),
            *role.ports,
        ),
        requests=requests(served, server.disk_gib, server.weights_gib),
        limits=container_limits,
        startup=startup,
        liveness=liveness,
        readiness=readiness,
        volumes=(*server.volumes, *server.tls.volumes),
        sidecars=role.sidecars,
        service_account=server.names.service_account,
        mount_api_token=False,
        # Every exception needs root: libtpu's devices and added capabilities are available to no other user.
        user=_USER if exception is None else 0,
        security_exception=exception,
        capabilities=multi_node.capabilities(ctx, parallelism),
        claims=(claim.name,) if claim is not None else (),
        near=multi_node.placement_labels(ctx, parallelism),
        node_selector=_node_selector(ctx, role.selector),
        tolerations=tuple(_tolerations(ctx)),
        min_ready_seconds=LISTED_SECONDS,
        pre_stop_seconds=pre_stop,
        grace_seconds=pre_stop + (DRAIN_SECONDS if drains else 0) + END_SECONDS,
        pull_secret=pull_secret.name if pull_secret else None,
        # Also of a single one: with another beside it the first must not restart.
        spread_over=server.selector,
    )


def _variables(server: _Server) -> tuple[EnvPlan, ...]:
    """The stack's own variables, then those of the stack file, then those of role and back end.

    Server-side apply refuses a name twice: of the program's own, the last one counts where the first stood. One of the
    stack file that is among them with another value stays twice, by which `engine_variables` refuses it.
    """
    ctx = server.served.ctx
    own = (
        *stack_variables(server.served, server.hugging_face, server.budget),
        *((EnvPlan(name="POD_IP", field_path="status.podIP"),) if follows_events(ctx) else ()),
    )
    later = {variable.name: variable for variable in (*server.role.env, *backend_of(ctx.settings).engine_environment())}
    first = {variable.name: later.get(variable.name, variable) for variable in own}
    same = {(variable.name, variable.value) for variable in (*first.values(), *later.values())}
    stated = [pair for pair in server.served.settings.env.items() if pair not in same]
    return (
        *first.values(),
        *(EnvPlan(name=name, value=value, of_stack_file=True) for name, value in stated),
        *(variable for name, variable in later.items() if name not in first),
    )


def _check(served: ServedModel) -> MemoryVerdict | None:
    """Findings about the model's settings, and whether it fits into memory: None where that is not known."""
    memory = check_model(served)
    check_raised_blocks(served)
    check_recurrent_cache(served, caching=prefix_caching_of(served))
    check_adapters(served)
    check_kserve(served)
    check_zero(served)
    check_held_back(served)
    if served.ctx.role != "prefill":
        check_features(served)
    check_weight_source(served)
    check_image_prompts(served)
    return memory


def _labels(key: str, role: ServerRole) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "vllm",
        "app.kubernetes.io/component": "model-server",
        "app.kubernetes.io/instance": key,
        "app.kubernetes.io/part-of": "llm-d",
        ROLE_LABEL: role.label,
        "llm-d.ai/engine-type": "vllm",
    }


def _metric_label(ctx: PlanContext, key: str) -> dict[str, str]:
    """The label by which a fleet's metric is exported."""
    return {METRIC_LABEL: key} if ctx.settings.fleet is not None else {}


def _hardware(ctx: PlanContext, parallelism: Parallelism) -> str:
    """One replica's accelerators. On TPU a pod takes every chip of its slice, however many the engine uses."""
    count = ctx.chips if ctx.accelerator.kind == "tpu" else parallelism.accelerators
    share = ctx.machine.accelerator_share
    return f"{share:g} of a {ctx.accelerator.title}" if share < 1 else f"{count} x {ctx.accelerator.title}"


def _arguments(served: ServedModel, port: int, template: ConfigFilePlan | None) -> tuple[str, ...]:
    """`vllm serve` arguments, the model first. The engine listens on `port`."""
    ctx, settings, model, parallelism = served.ctx, served.settings, served.model, served.parallelism
    served_names = (settings.name, *settings.aliases, *ctx.settings.splits_with(settings.name))
    names = ("--port", str(port), "--served-model-name", *served_names)
    revision = revision_of(settings, model)
    options: list[tuple[str, object]] = [("--revision", revision)]
    if runs_remote_code(settings.extra_args) and "--code-revision" not in map(flag_of, settings.extra_args):
        # vLLM takes tokenizers from `--revision`, and code from the branch main.
        options.append(("--code-revision", revision))
    options += [
        ("--max-model-len", settings.max_model_len),
        ("--gpu-memory-utilization", settings.gpu_memory_utilization),
        ("--dtype", dtype_of(served)),
        *multi_node.arguments(parallelism, _in_blocks(model), settings.extra_args),
        ("--max-num-seqs", settings.max_num_seqs),
        ("--max-num-batched-tokens", settings.max_num_batched_tokens),
        ("--quantization", settings.quantization),
        ("--kv-cache-dtype", settings.kv_cache_dtype),
        ("--block-size", block_argument(served)),
        ("--additional-config", attention_argument(served)),
        ("--kv-events-config", publisher(settings.name, PORT) if follows_events(ctx) else None),
    ]
    if can_drain(served):
        options.append(("--shutdown-timeout", DRAIN_SECONDS))
    flags = [
        "--enable-prefix-caching" if prefix_caching_of(served) else "--no-enable-prefix-caching",
        "--disable-uvicorn-access-log",
        # The Gateway counts the tokens of streams by it.
        *(["--enable-force-include-usage"] if ctx.settings.gateway.limits.tokens_per_minute is not None else []),
    ]
    valued = [text for flag, value in options if value is not None for text in (flag, str(value))]
    flags += [*multi_node.flag_arguments(parallelism), *multi_node.group_arguments(ctx, parallelism)]
    flag = ctx.release.engine.model_flag
    weights = weights_of(settings)
    model_argument = (weights,) if flag is None else (flag, weights)
    features = feature_arguments(settings, template)
    return (*model_argument, *names, *valued, *adapter_arguments(settings), *flags, *features, *settings.extra_args)


def can_drain(served: ServedModel) -> bool:
    """Whether this vLLM finishes running requests after SIGTERM. Older versions do not start with the flag for it."""
    return served.has(load_engine().features.graceful_shutdown)


def _in_blocks(model: Model | None) -> bool:
    """Whether the weights are fp8 with one scale per block, as DeepSeek's are."""
    quantization = model.quantization if model is not None else None
    return quantization is not None and quantization.method == "fp8" and quantization.group is not None


def dtype_of(served: ServedModel) -> str | None:
    """The configured dtype; else vLLM's choice on an accelerator without bfloat16, so that it is explicit and checked.

    Models outside the catalog get no flag: vLLM reads their type and knows which of them refuse float16.
    """
    if served.settings.dtype is not None or served.model is None:
        return served.settings.dtype
    chosen = default_dtype(served.model, served.accelerator, served.version)
    return "half" if chosen == "float16" else chosen


def prefix_caching_of(served: ServedModel) -> bool:
    """As set; else on exactly when the picker scores prefixes, so that the two always agree."""
    caching = served.settings.prefix_caching
    return caching if caching is not None else prefix_plugin(served.ctx) is not None


def _node_selector(ctx: PlanContext, role: Mapping[str, str]) -> Mapping[str, str]:
    if ctx.compute_class is not None:
        # The class decides everything else. Its nodes are the stack's and the role's own by its name.
        return {COMPUTE_CLASS_LABEL: ctx.compute_class}
    selector = {**ctx.own_nodes, ctx.accelerator.label_key: ctx.accelerator.node_label_value}
    if ctx.autopilot:
        return {**selector, **autopilot_selector(ctx)}
    if ctx.topology is not None:
        selector["cloud.google.com/gke-tpu-topology"] = ctx.topology
    if ctx.settings.accelerator.provisioning == "spot":
        selector["cloud.google.com/gke-spot"] = "true"
    return {**selector, **role}


def _tolerations(ctx: PlanContext) -> Iterator[TaintPlan]:
    yield TaintPlan(key=ctx.accelerator.resource_name, value="present", effect="NoSchedule")
    if ctx.machine.arm:
        # GKE taints Arm nodes (cloud.google.com/kubernetes-engine/docs/how-to/prepare-arm-workloads-for-deployment).
        yield TaintPlan(key="kubernetes.io/arch", value="arm64", effect="NoSchedule")
    if ctx.settings.accelerator.provisioning == "queued":
        # And nodes of queued pools (GoogleCloudPlatform/cluster-toolkit#5218).
        yield TaintPlan(key="cloud.google.com/gke-queued", value="true", effect="NoSchedule")
    if ctx.compute_class is not None:
        # GKE taints the nodes of a class with its name.
        yield TaintPlan(key=COMPUTE_CLASS_LABEL, value=ctx.compute_class, effect="NoSchedule")
        accelerator = ctx.settings.accelerator
        fallbacks = accelerator.compute_class.fallbacks if accelerator.compute_class is not None else ()
        if "spot" in (accelerator.provisioning, *(fallback.provisioning for fallback in fallbacks)):
            # It taints spot nodes of pools that it creates, too (google/skills, gke-compute-classes at 1af7775).
            yield TaintPlan(key="cloud.google.com/gke-spot", value="true", effect="NoSchedule")
