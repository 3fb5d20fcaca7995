"""What KServe makes of an LLMInferenceService: the names and labels it gives, and what of a plan it has to be told.

Source: kserve/kserve v0.19.0 and v0.20.0, pkg/controller/v1alpha2/llmisvc and config/llmisvcconfig.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from catalog.release import DisaggregationRelease, Release
from planning.context import PlanContext
from planning.plan.pods import ContainerPlan, EnvPlan, PodPlan, ProbePlan
from planning.plan.routing import PickerPlan, PoolPlan, RoutePlan
from planning.plan.serving import InferenceServicePlan, ModelServerPlan
from planning.plan.stack import ModelPlan
from planning.serving.backend_tls import plan_backend_tls
from planning.serving.model_server import CACHE, HEALTH_PATH
from settings.models import BucketSource, ImageSource, ModelSettings, VolumeClaimSource

# KServe merges its presets into the container of this name, and into none else.
CONTAINER = "main"
# Its preset for decode brings a routing sidecar of this name, behind which it expects the engine.
_SIDECAR = "llm-d-routing-sidecar"

# Suffixes of what it makes; the last is the longest of all.
_WORKLOAD = "-kserve"
_PREFILL = "-kserve-prefill"
_GROUP = "-kserve-mn"
_POOL = "-inference-pool"
_PICKER = "-kserve-router-scheduler"
_PICKER_SERVICE = "-epp-service"
_PICKER_ACCOUNT = "-epp-sa"
_CERTIFICATE = "-kserve-self-signed-certs"

_LONGEST = 63
_PART_OF = {"app.kubernetes.io/part-of": "llminferenceservice"}

# Labels of pods that KServe sets itself. They are in the selectors of its workloads: another value would break those.
_ITS_OWN = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/part-of", "llm-d.ai/role")

# Presets that KServe merges into a service with `worker`, by the parallelism it states. KServe looks for each in the
# service's namespace first. Its charts have none of the second name; to the first, which has one server a group, they
# add Linux capabilities that a service cannot take away.
_RANKS_PRESET = "kserve-config-llm-worker-data-parallel"
_ENGINE_PRESET = "kserve-config-llm-worker-pipeline-parallel"

# Conditions of an LLMInferenceService that `up` waits for. Not `Ready`: it also asks for InferencePoolReady, which
# stays unknown under a Gateway controller that writes no status on pools (kserve/kserve issues 4972, 5385).
CONDITIONS = ("PresetsCombined", "WorkloadsReady", "SchedulerWorkloadReady", "HTTPRoutesReady")


def child_name(parent: str, suffix: str) -> str:
    """Name of an object KServe makes for another: knative.dev/pkg kmeta.ChildName for suffixes of at most 30."""
    if len(parent) + len(suffix) <= _LONGEST:
        return parent + suffix
    digest = hashlib.md5(parent.encode(), usedforsecurity=False).hexdigest()
    return parent[: _LONGEST - len(digest) - len(suffix)] + digest + suffix


def under_kserve(stages: Sequence[PlanContext], index: int, settings: ModelSettings, model: ModelPlan) -> ModelPlan:
    """The same model as KServe is told of it: pool, picker and servers under the names that KServe gives them.

    `stages` are the sites of the model's servers, in their order.
    """
    ctx = stages[0]
    _check_name(ctx, index, settings, model.key)
    _check_templates(ctx, index, settings)
    for stage, server in zip(stages, model.servers, strict=True):
        _check_room(stage, server)
    pool = _pool(ctx, model.pool, model.key)
    return replace(
        model,
        pool=pool,
        picker=_picker(ctx, model.picker, model.key, pool),
        servers=tuple(_server(server, model.key, ctx.release) for server in model.servers),
        inference_service=InferenceServicePlan(
            name=model.key,
            # Where KServe's own routes would answer, and its clients look.
            path=f"/{ctx.namespace}/{model.key}",
            uri=_uri(settings),
            model_name=model.served_name,
            routes=(),
            conditions=CONDITIONS,
        ),
    )


def with_routes(models: tuple[ModelPlan, ...], routes: tuple[RoutePlan, ...]) -> tuple[ModelPlan, ...]:
    """Tells each service which routes lead to it."""
    return tuple(
        replace(model, inference_service=replace(model.inference_service, routes=_leading_to(model, routes)))
        if model.inference_service is not None
        else model
        for model in models
    )


def plan_presets(models: tuple[ModelPlan, ...]) -> tuple[str, ...]:
    """Presets of the stack's own, empty ones, by name: pods of groups are planned in full, as without KServe."""
    groups = [server.group for model in models if model.inference_service for server in model.servers if server.group]
    return tuple(sorted({_RANKS_PRESET if group.ranks > 1 else _ENGINE_PRESET for group in groups}))


def _leading_to(model: ModelPlan, routes: tuple[RoutePlan, ...]) -> tuple[str, ...]:
    return tuple(route.name for route in routes if any(model.pool.name in dict(rule.pools) for rule in route.rules))


def _pool(ctx: PlanContext, pool: PoolPlan, key: str) -> PoolPlan:
    name = child_name(key, _POOL)
    return replace(
        pool,
        name=name,
        tls=plan_backend_tls(ctx, key, name),
        selector={"app.kubernetes.io/name": key, "kserve.io/component": "workload"} | _PART_OF,
        picker_service=child_name(key, _PICKER_SERVICE),
    )


def _picker(ctx: PlanContext, picker: PickerPlan, key: str, pool: PoolPlan) -> PickerPlan:
    """The picker as KServe starts it: with its configuration as an argument, which KServe appends."""
    selector = {
        "app.kubernetes.io/name": key,
        "app.kubernetes.io/component": "llminferenceservice-router-scheduler",
    } | _PART_OF
    args = [argument for argument in picker.pod.args if not argument.startswith(("--config-file=", "--pool-name="))]
    pod = replace(
        picker.pod,
        container=CONTAINER,
        # Else the preset's command would run, whose flags are those of the preset's image.
        command=ctx.release.picker.command,
        args=(f"--pool-name={pool.name}", *args),
        volumes=(),
        labels={},
        annotations={},
        service_account=child_name(key, _PICKER_ACCOUNT),
        # Presets from v0.20.0 on end with a command, and a container has one kind of hook: that of a command needs a
        # program that the picker's image does not have.
        pre_stop_seconds=0,
        # A zero would not override the 30 seconds of the preset.
        readiness=replace(picker.pod.readiness, initial_delay=1) if picker.pod.readiness is not None else None,
        spread_over=selector if picker.replicas > 1 else {},
    )
    return replace(picker, name=child_name(key, _PICKER), pod=pod, selector=selector)


def _server(server: ModelServerPlan, key: str, release: Release) -> ModelServerPlan:
    prefill = server.role == "prefill"
    name = child_name(key, _PREFILL if prefill else _GROUP if server.group is not None else _WORKLOAD)
    account = f"{key}-prefill-server" if prefill else f"{key}-server"
    claim = None if server.claim_template is None else replace(server.claim_template, name=f"{account}-rdma")

    def told(pod: PodPlan) -> PodPlan:
        return replace(_pod(pod, release), service_account=account, claims=() if claim is None else (claim.name,))

    made = replace(
        server,
        name=name,
        service_account=account,
        claim_template=claim,
        direct_service=f"{name}-direct" if server.direct_service else None,
        pod=told(server.pod),
    )
    if server.group is None:
        return made
    workers = server.group.workers
    group = replace(server.group, workers=None if workers is None else told(workers))
    # What LeaderWorkerSet does where nobody says otherwise, and a service cannot say it.
    return replace(made, group=group, max_surge=0, max_unavailable=1)


def _pod(pod: PodPlan, release: Release) -> PodPlan:
    able = release.disaggregation
    return replace(
        pod,
        container=CONTAINER,
        # Without one the preset's would run, with weights that nobody has fetched.
        command=pod.command or release.engine.entry_point,
        labels=_free(pod.labels),
        # The preset points the Hub's cache to a volume without a limit.
        env=(*pod.env, EnvPlan(name="HF_HUB_CACHE", value=f"{CACHE}/hugging-face/hub")),
        sidecars=() if able is None else tuple(_sidecar(one, able) for one in pod.sidecars),
    )


def _sidecar(sidecar: ContainerPlan, able: DisaggregationRelease) -> ContainerPlan:
    """Under the name of the preset's, whose place it takes: else both would run, on one port."""
    return replace(
        sidecar,
        container=_SIDECAR,
        # The preset's command has flags, among them one that asks the API server which pods may be sent to.
        command=able.sidecar.command,
        startup=_asking(sidecar.startup),
        liveness=_asking(sidecar.liveness),
        readiness=_asking(sidecar.readiness),
    )


def _asking(probe: ProbePlan | None) -> ProbePlan | None:
    """As the preset's probe does: beside it another kind would be a second one, which the API server refuses.

    In every release that KServe comes with, the sidecar answers this path itself.
    """
    return None if probe is None else replace(probe, path=HEALTH_PATH)


def _free(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key not in _ITS_OWN}


def _uri(settings: ModelSettings) -> str:
    """Where the weights are, in KServe's words. The engine fetches or mounts them itself, as without KServe."""
    match settings.source:
        case BucketSource(bucket=bucket, path=path):
            return f"gs://{bucket}/{path.strip('/')}"
        case VolumeClaimSource(claim=claim, path=path):
            return f"pvc://{claim}/{path.strip('/')}"
        case ImageSource(reference=reference) if reference is not None:
            return f"oci://{reference}"
        case _:
            return f"hf://{settings.id}"


def _check_name(ctx: PlanContext, index: int, settings: ModelSettings, key: str) -> None:
    cut = [key + suffix for suffix in (_PICKER, _CERTIFICATE) if len(key + suffix) > _LONGEST]
    if cut:
        ctx.findings.warning(
            "LLMD-KSERVE-LONG-NAME",
            "models",
            index,
            "id",
            value=settings.id,
            rule=f"KServe would name an object {cut[0]}: with {len(cut[0])} characters it is cut and ends in a hash",
            fix=f"look for {child_name(key, _PICKER)} instead, or give weights of your own a shorter id",
        )


def _check_templates(ctx: PlanContext, index: int, settings: ModelSettings) -> None:
    for number, argument in enumerate(settings.extra_args):
        if "{{" in argument:
            ctx.findings.error(
                "LLMD-KSERVE-TEMPLATE",
                "models",
                index,
                "extraArgs",
                number,
                value=argument,
                rule="KServe takes {{ in any field as a template of its own and refuses the service",
                fix="put the text into a file of the image or of a volume, or use deployment: direct",
            )


def _check_room(ctx: PlanContext, server: ModelServerPlan) -> None:
    """No spare accelerator, as far as one stack file tells: what the stack was before, `up` alone knows."""
    if server.max_surge > 0 or server.replicas == 0:
        return
    nodes = ctx.settings.accelerator.nodes
    if server.group is None:
        missing = ctx.hosts
        rule = "KServe starts a new replica before it ends an old one: no update would find an accelerator"
        when = "before each change, and before a switch of deployment, which starts all servers before the old ones go"
    else:
        missing = server.replicas * server.group.size
        rule = "a switch of deployment starts all servers before the old ones go: it would find no accelerators"
        when = "before it"
    ctx.findings.warning(
        "LLMD-KSERVE-ROLLOUT",
        "accelerator",
        "nodes",
        "max",
        value=nodes.max,
        rule=rule,
        fix=f"use {nodes.max + missing}, or set llm-d:paused to true for one up {when}",
    )
