"""Causes that show at KServe, KEDA, the Gateway and the endpoint."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.operations.diagnose.cause import Cause
from llm_d_gke.operations.diagnose.facts import Facts
from llm_d_gke.operations.diagnose.messages import cause_of_state, messages, recognize
from llm_d_gke.operations.live_stack.stack import Manifest, find_condition, is_true

_OK, _SERVER_ERROR = 200, 500
_PICKER_UNREACHABLE = "picker-unreachable"
_PRESETS, _WAITS = "PresetsCombined", "WaitingForGateway"
_CERTIFICATE = "cert-manager.io/certificate-name"
_POLICY_CONDITIONS = ("Attached", "Accepted", "ResolvedRefs")


def presets_missing(facts: Facts) -> Iterator[Cause]:
    """Missing presets of KServe. Ready stays True without them, so Ready is no proof that they exist."""
    for service in facts.services:
        condition = find_condition(service, _PRESETS)
        if condition is not None and condition["status"] != "True":
            ready = (find_condition(service, "Ready") or {}).get("status", "missing")
            evidence = f"{_PRESETS} {condition['status']}, Ready {ready}: {condition.get('message', '')}"
            yield cause_of_state("kserve-presets", f"LLMInferenceService/{service['metadata']['name']}", evidence)


def service_conditions(facts: Facts) -> Iterator[Cause]:
    """Other conditions of KServe that are not True."""
    for service in facts.services:
        for condition in (service.get("status") or {}).get("conditions") or []:
            # It stays where a Gateway controller writes no status on pools; requests are answered.
            waits = condition.get("reason") == _WAITS and facts.answer is not None and facts.answer.status == _OK
            ignored = (_PRESETS, "Ready", "InferencePoolReady")
            if condition["status"] != "True" and condition["type"] not in ignored and not waits:
                subject = f"LLMInferenceService/{service['metadata']['name']}"
                message = str(condition.get("message") or condition.get("reason") or "")
                yield recognize("kserve", message, subject) or cause_of_state(
                    "kserve-condition", subject, message, condition=f"{condition['type']} {condition['status']}"
                )


def certificates_not_issued(facts: Facts) -> Iterator[Cause]:
    """The latest request of each certificate that cert-manager has not signed."""
    requests = sorted(facts.certificate_requests, key=lambda request: str(request["metadata"]["creationTimestamp"]))
    latest = {(request["metadata"].get("annotations") or {}).get(_CERTIFICATE): request for request in requests}
    for certificate, request in latest.items():
        if not is_true(request, "Ready"):
            conditions = [find_condition(request, kind) or {} for kind in ("Denied", "InvalidRequest", "Ready")]
            message = next((str(state["message"]) for state in conditions if state.get("message")), "no message yet")
            subject = f"Certificate/{certificate or request['metadata']['name']}"
            yield recognize("certificate", message, subject) or cause_of_state("certificate-waits", subject, message)


def not_scaling(facts: Facts) -> Iterator[Cause]:
    """ScaledObjects that are not ready.

    KEDA puts the reason into an event, and into the condition only where it does not take the object itself.
    """
    for scaler in facts.scalers:
        condition = find_condition(scaler, "Ready")
        name = str(scaler["metadata"]["name"])
        if condition is None or condition["status"] == "True":
            yield from _autoscaler_stuck(facts, name)
            continue
        message = str(condition.get("message") or condition.get("reason") or "")
        warnings = [
            str(event.get("message", ""))
            for event in facts.events_about("ScaledObject", name)
            if event.get("type") == "Warning"
        ]
        subject = f"ScaledObject/{name}"
        # The latest first: an earlier reason may be gone. An event's own words are next to those of the condition,
        # unless they are its words: then other events tell of earlier reasons.
        texts = [message] if message in warnings else [*reversed(warnings), message]
        recognized = filter(None, (recognize("scaling", text, subject) for text in texts))
        yield next(recognized, None) or cause_of_state("not-scaling", subject, texts[0])


def _autoscaler_stuck(facts: Facts, scaler: str) -> Iterator[Cause]:
    """A HorizontalPodAutoscaler, made by KEDA, that reads no metric or cannot change the number of replicas."""
    for autoscaler in facts.autoscalers:
        if autoscaler["metadata"]["name"] != f"keda-hpa-{scaler}":
            continue
        subject = f"HorizontalPodAutoscaler/{autoscaler['metadata']['name']}"
        for kind in ("AbleToScale", "ScalingActive"):
            condition = find_condition(autoscaler, kind)
            # At zero replicas KEDA wakes the first one, and the autoscaler is off.
            if condition is None or condition["status"] != "False" or condition.get("reason") == "ScalingDisabled":
                continue
            message = str(condition.get("message") or condition.get("reason") or "")
            yield recognize("scaling", message, subject) or cause_of_state("autoscaler-stuck", subject, message)


def unknown_backends(facts: Facts) -> Iterator[Cause]:
    """Routes to a pool that is gone. Its picker ends without an error, and the Gateway answers as without one."""
    yield from (cause for cause in gateway_problems(facts) if cause.id == "backend-unknown")


def gateway_problems(facts: Facts) -> Iterator[Cause]:
    """Gateways that are not programmed, routes and pools that are not accepted."""
    for gateway in facts.gateways:
        if not is_true(gateway, "Programmed"):
            condition = find_condition(gateway, "Programmed") or {}
            yield _gateway_cause(facts, gateway, "Gateway", condition)
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
                yield _gateway_cause(facts, gateway, "Gateway", broken)
    for kind, items in (("HTTPRoute", facts.routes), ("InferencePool", facts.pools)):
        for item in items:
            for condition in _refusals(item):
                yield _gateway_cause(facts, item, kind, condition)


def _refusals(item: Manifest) -> Iterator[Manifest]:
    for parent in (item.get("status") or {}).get("parents") or []:
        if (parent.get("parentRef") or {}).get("kind", "Gateway") != "Gateway":
            continue
        for condition in parent.get("conditions") or []:
            if condition["type"] in ("Accepted", "ResolvedRefs") and condition["status"] == "False":
                yield condition


def policies_refused(facts: Facts) -> Iterator[Cause]:
    """Policies of GKE's load balancer that are not attached, by their conditions or those for each Gateway."""
    policies = (
        ("HealthCheckPolicy", facts.health_checks),
        ("GCPBackendPolicy", facts.backend_policies),
        ("GCPGatewayPolicy", facts.gateway_policies),
    )
    for kind, items in policies:
        for item in items:
            status = item.get("status") or {}
            for holder in (status, *(status.get("ancestors") or [])):
                for condition in holder.get("conditions") or []:
                    if condition["status"] == "False" and condition["type"] in _POLICY_CONDITIONS:
                        yield _gateway_cause(facts, item, kind, condition, "policy-refused")


def _gateway_cause(facts: Facts, item: Manifest, kind: str, condition: Manifest, state: str = "") -> Cause:
    """By the condition's words, else by its reason, of which the Gateway API has a list."""
    message, reason = str(condition.get("message") or ""), str(condition.get("reason") or "")
    name = str(item["metadata"]["name"])
    subject = f"{kind}/{name}"
    # GKE's controller puts its reason into events where the condition has none.
    warnings = [
        str(event.get("message", "")) for event in facts.events_about(kind, name) if event.get("type") == "Warning"
    ]
    text = "\n".join(filter(None, [message, *warnings]))
    evidence = message or (warnings[-1] if warnings else reason or "no message")
    return (
        recognize("gateway", text, subject)
        or recognize("gateway", reason, subject)
        or cause_of_state(state or f"{kind.lower()}-refused", subject, evidence)
    )


def health_check_changed(facts: Facts) -> Iterator[Cause]:
    """Health checks that request another path than the engine's own."""
    for policy in facts.health_checks:
        target = policy["spec"]["targetRef"]["name"]
        planned = facts.health_paths.get(target)
        config = ((policy["spec"].get("default") or {}).get("config") or {}).get("httpHealthCheck") or {}
        path = config.get("requestPath")
        if planned is not None and path != planned:
            subject = f"HealthCheckPolicy/{policy['metadata']['name']}"
            yield cause_of_state("health-check-path", subject, f"requestPath is {path}, planned {planned}")


def endpoints_not_synced(facts: Facts) -> Iterator[Cause]:
    """Services whose pods GKE cannot register at the load balancer, as their events say while requests fail."""
    if facts.answer is None or facts.answer.status == _OK:
        return
    for event in facts.events:
        about = event.get("involvedObject") or {}
        if about.get("kind") == "Service" and event.get("type") == "Warning":
            cause = recognize("gateway", str(event.get("message", "")), f"Service/{about.get('name')}")
            if cause is not None and cause.id == "endpoints-not-synced":
                yield cause


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
        yield cause_of_state("endpoint-unreachable", "the endpoint", answer.text)
    else:
        evidence = answer.text.strip()[:300] or f"HTTP {answer.status} with an empty answer"
        yield cause_of_state("endpoint-refuses", "the endpoint", evidence, status=answer.status)


def _without_picker(facts: Facts) -> bool:
    """Whether there are pickers, and none is ready: Envoy then answers with an empty body."""
    pickers = [workload for workload in facts.workloads if workload.role == "picker"]
    return bool(pickers) and not any(facts.ready(picker) for picker in pickers)
