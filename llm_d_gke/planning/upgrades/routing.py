"""Steps for endpoint pickers, the model router and the endpoint for requests without a known model."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.planning.plan.routing import RouterPlan
from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.planning.upgrades import durations
from llm_d_gke.planning.upgrades.differences import picker_changes, pod_changes
from llm_d_gke.planning.upgrades.servers import lost_under_kserve, parts_of, server_changes, starts_pickers_first
from llm_d_gke.planning.upgrades.step import Loss, Part, Step

_PICKER, _POOL = "llm-d:inference:EndpointPicker", "llm-d:inference:InferencePool"
_BACK = "the same step with the release before"


def routing_steps(before: StackPlan, after: StackPlan) -> Iterator[Step]:
    """Pickers before the model router: the router's requests need them."""
    old = {model.key: model for model in before.models}
    for model in after.models:
        if model.key in old:
            yield from _picker(old[model.key], model, before)
    if after.router is not None and before.router is not None and before.router != after.router:
        yield _router(before.router, after.router)
    if before.models_endpoint != after.models_endpoint and after.models_endpoint is not None:
        yield Step(
            name="models-endpoint",
            title="endpoint of the list of models",
            changes=(
                pod_changes(before.models_endpoint.pod, after.models_endpoint.pod)
                if before.models_endpoint is not None
                else ("new",)
            ),
            method="rolling update: a new pod is ready before an old one ends",
            back=_BACK,
            seconds=durations.of_change("program"),
            parts=(Part(type="llm-d:gateway:ModelIndex", name=after.models_endpoint.name),),
        )


def _picker(before: ModelPlan, after: ModelPlan, running: StackPlan) -> Iterator[Step]:
    changes = picker_changes(before.picker, after.picker)
    if not changes:
        return
    if after.inference_service is not None:
        if server_changes(before, after):
            # One object holds both: KServe changes picker and servers in the step of the servers.
            return
        first = starts_pickers_first(running, before)
        yield Step(
            name=f"picker-{after.key}",
            title=f"endpoint picker of {after.served_name}",
            changes=changes,
            method="KServe replaces the picker",
            loss=Loss.NOTHING if first else Loss.REQUESTS,
            consequence="nothing" if first else lost_under_kserve(after),
            back=_BACK,
            seconds=durations.of_change("program"),
            parts=parts_of(after),
        )
        return
    picker = after.picker
    elected = bool(picker.max_unavailable)
    yield Step(
        name=f"picker-{after.key}",
        title=f"endpoint picker of {after.served_name}",
        changes=changes,
        method=(
            "all pickers are replaced at once, because only the elected one is ready"
            if elected
            else "rolling update: a new picker is ready before the old one ends"
        ),
        loss=Loss.REQUESTS if elected else Loss.NOTHING,
        consequence=_lost_without_picker(after)
        if elected
        else "nothing; caches that the picker remembers are learned again",
        back=_BACK,
        seconds=durations.of_change("program"),
        parts=(Part(type=_PICKER, name=picker.name), Part(type=_POOL, name=after.pool.name)),
    )


def _lost_without_picker(model: ModelPlan) -> str:
    if model.pool.failure_mode == "FailOpen":
        return "requests until the load balancer notices that the old pickers are gone; then any replica answers"
    return "requests until a new picker is elected: without one they are refused (picker.failureMode: close)"


def _router(before: RouterPlan, after: RouterPlan) -> Step:
    changes = list(pod_changes(before.pod, after.pod))
    if before.config != after.config:
        changes.append("configuration")
    return Step(
        name="router",
        title="model router",
        changes=tuple(changes),
        method="rolling update: a new pod is ready before an old one ends",
        back=_BACK,
        seconds=durations.of_change("program"),
        parts=(Part(type="llm-d:gateway:ModelRouter", name=after.name),),
    )
