"""Steps that replace model servers: by surge, with fewer replicas meanwhile, or as an outage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from llm_d_gke.planning.gke_versions import MUTATING_POLICY_SINCE
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.planning.serving.shutdown import END_SECONDS, NOTICE_SECONDS
from llm_d_gke.planning.upgrades import durations
from llm_d_gke.planning.upgrades.differences import changed_fields, picker_changes, pod_changes
from llm_d_gke.planning.upgrades.step import Loss, Part, Span, Step, longest

_SERVER = "llm-d:inference:ModelServer"
_SERVICE = "llm-d:inference:InferenceService"
# Figures about the pod, not the pod.
_ESTIMATES = ("pod", "memory", "latency", "hardware", "start_up_seconds", "replicas", "scaling", "group")

_MIXED = (
    "vLLM refuses to transfer a KV cache between two of its versions (vllm-project/vllm pull request 29503, and"
    " releases before it fail without a check): while both run, requests whose prefill and decode servers differ fail"
)
# docs/measurements/changes.md, upgrades under load. KServe ends the old picker before it starts the new one (strategy
# Recreate, kserve v0.17.0 to v0.20.0, pkg/controller/v1alpha2/llmisvc/scheduler.go), and its Deployments have no
# minReadySeconds, unless the cluster has a policy for them.
_PASSING = (
    "a few requests, until the load balancer has noticed that a picker has ended; without one any server answers"
    " (picker.failureMode: open). On GKE possibly more: KServe ends an old server before the load balancer has checked"
    " the new one"
)
_REFUSING = "requests from the end of a picker until the new one answers: KServe ends the old one first"
_BACK = "the same step with the release before, in the same way"


@dataclass(frozen=True, kw_only=True)
class _Rollout:
    """How a workload changes from old to new pods, and what that loses."""

    method: str
    loss: Loss = Loss.NOTHING
    consequence: str = "nothing"
    seconds: Span
    instead: str | None = None


def passes_without_picker(model: ModelPlan) -> bool:
    """Whether any server of a model can answer any request: a prefill server cannot."""
    return len(model.servers) == 1


def starts_pickers_first(plan: StackPlan, model: ModelPlan) -> bool:
    """Whether a new picker of KServe's is ready, and known to the load balancer, before the old one ends."""
    return plan.rollout_policy is not None and model.picker.replicas == 1


def lost_under_kserve(*models: ModelPlan) -> str:
    """What clients lose while KServe replaces pickers and servers, where a server more has room."""
    consequence = _PASSING if all(map(passes_without_picker, models)) else _REFUSING
    if any(model.picker.replicas > 1 for model in models):
        return consequence
    return f"{consequence}; nothing where cluster.version is {MUTATING_POLICY_SINCE} or newer"


def server_steps(before: StackPlan, after: StackPlan) -> Iterator[Step]:
    """One step for the servers of a model. Prefill and decode belong together."""
    old = {model.key: model for model in before.models}
    for model in after.models:
        if model.key in old:
            yield from _model(old[model.key], model, before, after)
        else:
            yield _added_step(model, after)


def server_changes(before: ModelPlan, after: ModelPlan) -> tuple[str, ...]:
    """Differences of a model's servers. Empty if no pod is replaced."""
    old = {server.role: server for server in before.servers}
    several = len(after.servers) > 1
    phrases: list[str] = []
    for server in after.servers:
        differences = (
            [f"{server.role} servers are new"] if server.role not in old else _changes(old[server.role], server)
        )
        phrases += [f"{server.role}: {phrase}" if several else phrase for phrase in differences]
    if changed_fields(before.pool, after.pool):
        phrases.append(f"pool: {', '.join(changed_fields(before.pool, after.pool))}")
    return tuple(dict.fromkeys(phrases))


def _changes(before: ModelServerPlan, after: ModelServerPlan) -> list[str]:
    phrases = list(pod_changes(before.pod, after.pod))
    if before.group != after.group:
        old, new = (server.group.workers if server.group is not None else None for server in (before, after))
        if old is not None and new is not None and old != new:
            phrases += [phrase for phrase in pod_changes(old, new) if phrase not in phrases]
        if before.group is None or after.group is None or before.group.size != after.group.size:
            phrases.append("size of a group")
    phrases += [name.replace("_", " ") for name in changed_fields(before, after, _ESTIMATES)]
    return phrases


def _model(before: ModelPlan, after: ModelPlan, running: StackPlan, plan: StackPlan) -> Iterator[Step]:
    if (before.inference_service is None) != (after.inference_service is None):
        yield _switched_step(after, plan)
        return
    changes = server_changes(before, after)
    if not changes:
        return
    service = after.inference_service is not None
    picker = picker_changes(before.picker, after.picker) if service else ()
    if service and _waits_forever(after):
        yield _pause_step(after)
    rollout = _rollout(before, after, plan)
    if picker and rollout.loss is Loss.NOTHING and not starts_pickers_first(running, before):
        rollout = replace(rollout, loss=Loss.REQUESTS, consequence=lost_under_kserve(after))
    yield Step(
        name=f"servers-{after.key}",
        title=f"model servers of {after.served_name}",
        changes=(*changes, *(f"picker: {phrase}" for phrase in picker)),
        method=rollout.method,
        loss=rollout.loss,
        consequence=rollout.consequence,
        back=_BACK,
        seconds=rollout.seconds,
        parts=parts_of(after),
        instead=rollout.instead,
    )


def parts_of(model: ModelPlan) -> tuple[Part, ...]:
    """What the program creates for the servers of a model."""
    if model.inference_service is not None:
        return (Part(type=_SERVICE, name=model.inference_service.name),)
    return tuple(Part(type=_SERVER, name=server.name) for server in model.servers)


def _waits_forever(model: ModelPlan) -> bool:
    """Whether KServe would wait indefinitely for a new replica, because no accelerator is free for it."""
    return any(server.group is None and server.replicas and not server.max_surge for server in model.servers)


def _pause_step(model: ModelPlan) -> Step:
    return Step(
        name=f"pause-{model.key}",
        title=f"stop the servers of {model.served_name}",
        changes=("no replica",),
        method="all replicas end: KServe starts new ones before it ends old ones, and the pool has no room",
        loss=Loss.OUTAGE,
        consequence=f"requests to {model.served_name} from here to the end of the next step",
        back="the next step",
        seconds=longest(durations.of_end(server.pod) for server in model.servers),
        parts=parts_of(model),
        settings={"llm-d:paused": "true"},
        instead=_surge_hint(model),
    )


def _rollout(before: ModelPlan, after: ModelPlan, plan: StackPlan) -> _Rollout:
    """The rollout of all servers of a model. Servers of two roles roll at the same time."""
    if after.inference_service is not None and _waits_forever(after):
        start = longest(durations.of_replica(plan, server.pod) for server in after.servers)
        return _Rollout(
            method="all replicas start together",
            loss=Loss.OUTAGE,
            consequence=f"requests to {after.served_name} until the first replica is ready",
            seconds=start,
        )
    waits = after.inference_service is None or plan.rollout_policy is not None
    rollouts = [_server_rollout(server, plan, waits) for server in after.servers]
    worst = max(rollouts, key=lambda rollout: rollout.loss.severity)
    seconds = longest(rollout.seconds for rollout in rollouts)
    if _is_replaced(before, after):
        start = longest(durations.of_replica(plan, server.pod) for server in after.servers)
        return _Rollout(
            method="the workload is deleted and created again, because a field of it cannot change",
            loss=Loss.OUTAGE,
            consequence=f"requests to {after.served_name} until the first new replica is ready",
            seconds=start,
            instead="a second model with the new image, and weights on the route (docs/upgrades.md)",
        )
    if len(after.servers) > 1 and _images(before) != _images(after) and worst.loss is not Loss.OUTAGE:
        return _Rollout(
            method=worst.method,
            loss=Loss.REQUESTS,
            consequence=_MIXED,
            seconds=seconds,
            instead="a second stack beside this one, and a change of the address that clients use",
        )
    return _Rollout(
        method=worst.method,
        loss=worst.loss,
        consequence=worst.consequence,
        seconds=seconds,
        instead=worst.instead and _surge_hint(after),
    )


def _server_rollout(server: ModelServerPlan, plan: StackPlan, waits: bool) -> _Rollout:
    seconds_ready = f" for {server.pod.min_ready_seconds} s" if waits else ""
    unit = "replica" if server.group is None else f"group of {server.group.size} pods"
    if not server.replicas:
        return _Rollout(
            method="no replica runs; the next one starts with the new pod",
            seconds=Span(best=0, worst=0, verified=True),
        )
    if server.max_surge:
        return _Rollout(
            method=f"surge: a new {unit} is ready{seconds_ready} before an old one ends",
            consequence=_cut_off_text(server),
            seconds=durations.of_rollout(plan, server, new_node=True),
        )
    seconds = durations.of_rollout(plan, server, new_node=False)
    if server.replicas > server.max_unavailable:
        return _Rollout(
            method=f"one {unit} ends, then a new one starts in its place: the pool has no spare node",
            loss=Loss.CAPACITY,
            consequence=f"1 of {server.replicas} replicas at a time, so a stack under full load answers late;"
            f" {_cut_off_text(server)}",
            seconds=seconds,
            instead="room",
        )
    return _Rollout(
        method=f"the only {unit} ends, then a new one starts in its place: the pool has no spare node",
        loss=Loss.OUTAGE,
        consequence="requests from the end of the old replica until the new one is ready",
        seconds=seconds,
        instead="room",
    )


def _cut_off_text(server: ModelServerPlan) -> str:
    # A request that comes while picker and load balancer do not know yet has only the rest.
    seconds = server.pod.grace_seconds - END_SECONDS - NOTICE_SECONDS
    return f"answers that take longer than {seconds} s may be cut off"


def _surge_hint(model: ModelPlan) -> str | None:
    """How to add a node for a surge. None for groups under KServe, which stops each group before it starts the next."""
    if model.inference_service is not None and any(server.group is not None for server in model.servers):
        return None
    hosts = max(server.group.size if server.group is not None else 1 for server in model.servers)
    return f"a pool with room for {hosts} more: -c llm-d:accelerator.nodes.max=..., then it surges and loses nothing"


def _is_replaced(before: ModelPlan, after: ModelPlan) -> bool:
    """Whether a field changes that Kubernetes or KServe never changes in place."""
    old = {server.role: server for server in before.servers}
    return any(
        server.role in old
        and (
            old[server.role].selector != server.selector
            or old[server.role].name != server.name
            or (old[server.role].group is None) != (server.group is None)
        )
        for server in after.servers
    )


def _images(model: ModelPlan) -> set[str]:
    return {server.pod.image for server in model.servers}


def _switched_step(model: ModelPlan, plan: StackPlan) -> Step:
    """The servers of the other deployment. Without room beside the old ones a finding refuses the change."""
    return Step(
        name=f"servers-{model.key}",
        title=f"model servers of {model.served_name}",
        changes=(f"deployment {'direct' if model.inference_service is None else 'kserve'}",),
        method="new servers start beside the old ones; the last step changes the route and deletes the old ones",
        consequence="nothing, as measured between the deployments (docs/measurements/changes.md)",
        back="the same step with the deployment before",
        seconds=longest(durations.of_replica(plan, server.pod, new_node=True) for server in model.servers),
        parts=parts_of(model),
    )


def _added_step(model: ModelPlan, plan: StackPlan) -> Step:
    return Step(
        name=f"servers-{model.key}",
        title=f"model servers of {model.served_name}",
        changes=("new in this stack",),
        method="created beside the others",
        back="remove the model from the stack file",
        seconds=longest(durations.of_replica(plan, server.pod, new_node=True) for server in model.servers),
    )
