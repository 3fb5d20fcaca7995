"""Objects of the plan compared with those in the cluster, and the workloads that they promise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llm_d_gke.kube import KubeError, Unreachable
from llm_d_gke.operations.live_stack.stack import LiveStack, find_condition, is_ready, is_true
from llm_d_gke.operations.verify.context import CheckContext
from llm_d_gke.operations.verify.result import Result, failed, judged, passed
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.quantities import quantity
from llm_d_gke.resource_graph.kubernetes import PLACEHOLDER, REGISTRY_PLACEHOLDER
from llm_d_gke.wording import count

_MAX_LISTED = 4
_READERS = 8


def settings_as_applied(ctx: CheckContext) -> Result:
    """The stack file is the one of the last rehearsed `up`."""
    changed = ctx.live.changed_settings
    if not changed:
        return passed("every setting is that of the last up")
    return failed("; ".join(changed[:_MAX_LISTED]), f"make up STACK={ctx.live.name}")


def objects_as_planned(ctx: CheckContext) -> Result:
    """Every Kubernetes object of the plan exists, and each planned field has its value."""
    assert ctx.planned is not None, "recorded for this check"
    live, planned = ctx.live, ctx.planned.result()
    wrong: list[str] = []
    for _, result in differences_of(live, planned):
        if isinstance(result, KubeError):
            raise result
        wrong += result
    if not wrong:
        return passed(f"{len(planned)} objects exist and have every planned value")
    return failed(shortened(wrong), live.restore)


def shortened(sentences: Sequence[str]) -> str:
    more = f" and {len(sentences) - _MAX_LISTED} more" if len(sentences) > _MAX_LISTED else ""
    return "; ".join(sentences[:_MAX_LISTED]) + more


def differences_of(
    live: LiveStack, planned: Iterable[dict[str, Any]]
) -> list[tuple[dict[str, Any], list[str] | KubeError]]:
    """Each object of the plan with the sentences of `object_differences`, or why it could not be read.

    Raises Unreachable.
    """

    def result(item: dict[str, Any]) -> tuple[dict[str, Any], list[str] | KubeError]:
        try:
            return item, object_differences(live, item)
        except Unreachable:
            raise
        except KubeError as error:
            return item, error

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(result, planned))


def object_differences(live: LiveStack, planned: dict[str, Any]) -> list[str]:
    """A sentence for each planned field that differs, or one for an object that does not exist. Raises KubeError."""
    metadata, kind = planned["metadata"], planned["kind"]
    if (kind, metadata["name"]) in _scaled(live):
        # The number of replicas is the autoscaler's.
        planned = planned | {"spec": {key: value for key, value in planned["spec"].items() if key != "replicas"}}
    live_object = live.cluster.find(planned["apiVersion"], kind, metadata["name"], metadata.get("namespace"))
    if live_object is None:
        return [f"{kind}/{metadata['name']} does not exist"]
    return [f"{kind}/{metadata['name']} {sentence}" for sentence in differences(planned, live_object)]


def _scaled(live: LiveStack) -> set[tuple[str, str]]:
    """Kinds and names of the workloads whose replicas follow the load."""
    servers = [server for model in live.plan.models for server in model.servers]
    return {server.scaling.target[1:] for server in servers if server.scaling is not None}


def replicas_ready(ctx: CheckContext) -> Result:
    """Every model server and picker has its planned number of ready pods."""
    live = ctx.live
    counts = list(_pod_counts(live))
    short = [
        f"{name}: {ready} of {planned} ready" for name, ready, planned, most in counts if not planned <= ready <= most
    ]
    return judged(
        short,
        live.diagnose,
        ", ".join(
            f"{name} {ready}/{planned}" if planned == most else f"{name} {ready} of {planned} to {most}"
            for name, ready, planned, most in counts
        ),
    )


def _pod_counts(live: LiveStack) -> Iterator[tuple[str, int, int, int]]:
    """Workload, ready pods, planned pods, and the most that there may be."""
    plan = live.plan
    for model in plan.models:
        for server in model.servers:
            size = server.group.size if server.group is not None else 1
            ready = _ready(live, dict(server.selector))
            yield server.name, ready, server.replicas * size, server.most_replicas * size
        picker, ready = model.picker, _ready(live, dict(model.picker.selector))
        yield picker.name, ready, picker.ready_replicas, picker.ready_replicas
    for extra in (plan.router, plan.models_endpoint):
        if extra is not None:
            yield extra.name, _ready(live, dict(extra.selector)), extra.replicas, extra.replicas


def _ready(live: LiveStack, selector: dict[str, str]) -> int:
    return sum(is_ready(pod) for pod in live.pods_of(selector))


def inference_services(ctx: CheckContext) -> Result:
    """Every LLMInferenceService has all conditions that `up` waits for. Ready can be True without presets."""
    wrong = [sentence for model in ctx.live.plan.models for sentence in _service_problems(ctx.live, model)]
    return judged(
        wrong, ctx.live.diagnose, f"{count(len(ctx.live.plan.models), 'LLMInferenceService')} with every condition True"
    )


def _service_problems(live: LiveStack, model: ModelPlan) -> Iterator[str]:
    plan = model.inference_service
    if plan is None:
        return
    version = next(
        (v for v in ("serving.kserve.io/v1alpha2", "serving.kserve.io/v1alpha1") if live.cluster.serves(v, _SERVICE)),
        None,
    )
    service = live.cluster.find(version, _SERVICE, plan.name, live.namespace) if version else None
    if service is None:
        yield f"LLMInferenceService/{plan.name} does not exist"
        return
    for kind in plan.conditions:
        if not is_true(service, kind):
            condition = find_condition(service, kind)
            yield f"{plan.name} {kind}: {'missing' if condition is None else condition.get('message', 'False')}"


_SERVICE = "LLMInferenceService"


UNKNOWN = "[unknown]"
_NOT_COMPARED = (UNKNOWN, PLACEHOLDER, REGISTRY_PLACEHOLDER)
# The digest of the token, which is encrypted in the stack file.
_NOT_READ_HERE = "checksum/hugging-face-token"
# Fields by which the API server identifies elements of a list: their order is not the planned one in every case.
_KEYS = ("name", "mountPath", "containerPort")


def differences(planned: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each planned field that differs in the live object.

    Fields that the plan does not have are defaults of the API server or other controllers' and are ignored; so are
    values that the plan does not know. Of a Secret only the keys are compared.
    """
    if planned.get("kind") == "Secret":
        keys = {*(planned.get("data") or {}), *(planned.get("stringData") or {})}
        missing = sorted(keys - set(live.get("data") or {}))
        if missing:
            yield f"data lacks {', '.join(missing)}"
        planned = {key: value for key, value in planned.items() if key not in ("data", "stringData")}
    yield from _mapping(planned, live, "")


def _mapping(planned: Mapping[str, Any], live: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in planned.items():
        if key != _NOT_READ_HERE:
            yield from _value(value, live.get(key), f"{path}.{key}" if path else key)


def _value(planned: Any, live: Any, path: str) -> Iterator[str]:
    if planned in _NOT_COMPARED or (_is_empty(planned) and _is_empty(live)):
        return
    if isinstance(planned, Mapping) and isinstance(live, Mapping):
        yield from _mapping(planned, live, path)
    elif isinstance(planned, list) and isinstance(live, list):
        yield from _list(planned, live, path)
    elif not _same(planned, live):
        yield f"{path} is {_text(live)}, planned {_text(planned)}"


def _list(planned: list[Any], live: list[Any], path: str) -> Iterator[str]:
    key = next((key for key in _KEYS if all(isinstance(item, Mapping) and key in item for item in planned)), None)
    if key is None:
        if len(live) < len(planned):
            yield f"{path} has {len(live)} entries, planned {len(planned)}"
        for index, (value, live_value) in enumerate(zip(planned, live, strict=False)):
            yield from _value(value, live_value, f"{path}[{index}]")
        return
    by_key = {item.get(key): item for item in live if isinstance(item, Mapping)}
    for value in planned:
        if value[key] not in by_key:
            yield f"{path} lacks {value[key]}"
        else:
            yield from _value(value, by_key[value[key]], f"{path}[{value[key]}]")


def _is_empty(value: Any) -> bool:
    """Whether the API server may leave a value out."""
    return value is None or value is False or value in ("", 0) or value == {} or value == []


def _same(planned: Any, live: Any) -> bool:
    if planned == live:
        return True
    try:
        return quantity(planned) == quantity(live)
    except ValueError:
        return False


def _text(value: Any) -> str:
    text = repr(value) if value is not None else "missing"
    return text if len(text) <= 80 else f"{text[:77]}..."
