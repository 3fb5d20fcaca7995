"""Causes that show at KServe, KEDA, the Gateway and the endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.operations.diagnose.cause import Cause
from llm_d_gke.operations.diagnose.facts import Facts
from llm_d_gke.operations.diagnose.messages import messages, recognize
from llm_d_gke.operations.live_stack.stack import Manifest, find_condition, is_true

_OK, _SERVER_ERROR = 200, 500
_PICKER_UNREACHABLE = "picker-unreachable"
_PRESETS = "PresetsCombined"


def presets_missing(facts: Facts) -> Iterator[Cause]:
    """Missing presets of KServe. Ready stays True without them, so Ready is no proof that they exist."""
    for service in facts.services:
        condition = find_condition(service, _PRESETS)
        if condition is not None and condition["status"] != "True":
            ready = (find_condition(service, "Ready") or {}).get("status", "missing")
            yield Cause(
                id="kserve-presets",
                subject=f"LLMInferenceService/{service['metadata']['name']}",
                cause="KServe cannot combine its presets, so changes of the service have no effect.",
                evidence=f"{_PRESETS} {condition['status']}, Ready {ready}: {condition.get('message', '')}",
                fix="`kubectl get llminferenceserviceconfigs -A`: none in kserve means that their chart is missing; "
                "`pulumi up --refresh` installs it again. Otherwise correct the field that the message names.",
            )


def service_conditions(facts: Facts) -> Iterator[Cause]:
    """Other conditions of KServe that are not True."""
    for service in facts.services:
        for condition in (service.get("status") or {}).get("conditions") or []:
            # WaitingForGateway stays where a Gateway controller writes no status on pools; requests are answered.
            ignored = (_PRESETS, "Ready", "InferencePoolReady")
            if condition["status"] != "True" and condition["type"] not in ignored:
                yield Cause(
                    id="kserve-condition",
                    subject=f"LLMInferenceService/{service['metadata']['name']}",
                    cause=f"KServe reports {condition['type']} {condition['status']}.",
                    evidence=str(condition.get("message") or condition.get("reason") or ""),
                    fix="docs/operations.md lists what to look at for each condition of KServe.",
                )


def not_scaling(facts: Facts) -> Iterator[Cause]:
    """ScaledObjects that are not ready. The condition is general; KEDA puts its reason into events."""
    for scaler in facts.scalers:
        condition = find_condition(scaler, "Ready")
        if condition is None or condition["status"] == "True":
            continue
        name = str(scaler["metadata"]["name"])
        message = str(condition.get("message") or condition.get("reason") or "")
        warnings = [
            str(event.get("message", ""))
            for event in facts.events_about("ScaledObject", name)
            if event.get("type") == "Warning"
        ]
        yield recognize("scaling", "\n".join([message, *warnings]), f"ScaledObject/{name}") or Cause(
            id="not-scaling",
            subject=f"ScaledObject/{name}",
            cause="KEDA reports that it does not scale this model.",
            evidence=warnings[-1] if warnings else message,
            fix="Correct what the message names; `pulumi up --refresh` restores the planned object.",
        )


def gateway_problems(facts: Facts) -> Iterator[Cause]:
    """Gateways that are not programmed, routes and pools that are not accepted."""
    for gateway in facts.gateways:
        if not is_true(gateway, "Programmed"):
            condition = find_condition(gateway, "Programmed") or {}
            yield _gateway_cause(facts, gateway, "Gateway", str(condition.get("message") or ""))
        for listener in (gateway.get("status") or {}).get("listeners") or []:
            broken = next(
                (
                    condition
                    for condition in listener.get("conditions") or []
                    if condition["type"] == "ResolvedRefs" and condition["status"] == "False"
                ),
                None,
            )
            if broken is not None:
                yield _gateway_cause(facts, gateway, "Gateway", str(broken.get("message") or broken.get("reason")))
    for kind, items in (("HTTPRoute", facts.routes), ("InferencePool", facts.pools)):
        for item in items:
            for message in _refusals(item):
                yield _gateway_cause(facts, item, kind, message)


def _refusals(item: Manifest) -> Iterator[str]:
    for parent in (item.get("status") or {}).get("parents") or []:
        if (parent.get("parentRef") or {}).get("kind", "Gateway") != "Gateway":
            continue
        for condition in parent.get("conditions") or []:
            if condition["type"] in ("Accepted", "ResolvedRefs") and condition["status"] == "False":
                yield str(condition.get("message") or condition.get("reason") or "")


def _gateway_cause(facts: Facts, item: Manifest, kind: str, message: str) -> Cause:
    name = str(item["metadata"]["name"])
    subject = f"{kind}/{name}"
    # GKE's controller puts its reason into events where the condition has none.
    warnings = [
        str(event.get("message", "")) for event in facts.events_about(kind, name) if event.get("type") == "Warning"
    ]
    text = "\n".join(filter(None, [message, *warnings]))
    return recognize("gateway", text, subject) or Cause(
        id=f"{kind.lower()}-refused",
        subject=subject,
        cause=f"The Gateway's controller does not take this {kind}.",
        evidence=message or (warnings[-1] if warnings else "no message"),
        fix="Correct what the message names; `pulumi up --refresh` restores the planned object.",
    )


def health_check_changed(facts: Facts) -> Iterator[Cause]:
    """Health checks that request another path than the engine's own."""
    for policy in facts.health_checks:
        target = policy["spec"]["targetRef"]["name"]
        planned = facts.health_paths.get(target)
        config = ((policy["spec"].get("default") or {}).get("config") or {}).get("httpHealthCheck") or {}
        path = config.get("requestPath")
        if planned is not None and path != planned:
            yield Cause(
                id="health-check-path",
                subject=f"HealthCheckPolicy/{policy['metadata']['name']}",
                cause="The load balancer's health check requests a path that the engine does not serve.",
                evidence=f"requestPath is {path}, planned {planned}",
                fix="`pulumi up --refresh` restores it (rehearsed: make up).",
                pitfalls=(50,),
            )


def endpoint_answer(facts: Facts) -> Iterator[Cause]:
    """The cause in the endpoint's reply to a chat request."""
    answer = facts.answer
    if answer is None or answer.status == _OK:
        return
    recognized = recognize("endpoint", answer.text, "the endpoint")
    if recognized is not None:
        yield recognized
    elif answer.status >= _SERVER_ERROR and _without_picker(facts):
        message = messages()[_PICKER_UNREACHABLE]
        yield Cause(
            id=_PICKER_UNREACHABLE,
            subject="the endpoint",
            cause=message.cause,
            evidence=f"HTTP {answer.status}, and no picker is ready",
            fix=message.fix,
            pitfalls=message.pitfalls,
        )
    elif answer.status == 0:
        yield Cause(
            id="endpoint-unreachable",
            subject="the endpoint",
            cause="No connection to the address of the Gateway.",
            evidence=answer.text,
            fix="An internal Gateway (gateway.exposure) is reached from inside the VPC only.",
        )
    else:
        yield Cause(
            id="endpoint-refuses",
            subject="the endpoint",
            cause=f"The endpoint answers {answer.status} to a chat request.",
            evidence=answer.text.strip()[:300] or f"HTTP {answer.status} with an empty answer",
            fix="5xx: the picker or the replicas do not answer; `make verify` says which. 401 and 403: the Gateway "
            "asks for a key. 404: `curl ADDRESS/v1/models` lists the names.",
        )


def _without_picker(facts: Facts) -> bool:
    """Whether there are pickers, and none is ready: Envoy then answers with an empty body."""
    pickers = [workload for workload in facts.workloads if workload.role == "picker"]
    return bool(pickers) and not any(facts.ready(picker) for picker in pickers)
