"""Causes that show at nodes, at Kueue's workloads, and at requests for capacity."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.operations.diagnose.cause import Cause
from llm_d_gke.operations.diagnose.facts import Facts, moment_of
from llm_d_gke.operations.diagnose.messages import cause_of_state, recognize
from llm_d_gke.operations.live_stack.stack import Manifest, find_condition, is_true

# Conditions of a ProvisioningRequest that end it, as Kubernetes' autoscaler sets them (pkg/apis/autoscaling.x-k8s.io).
_ENDS = ("Failed", "CapacityRevoked", "BookingExpired")


def nodes_at_fault(facts: Facts) -> Iterator[Cause]:
    """The latest known event about each node that has pods which are not ready, since the node was ready last."""
    events: dict[str, list[Manifest]] = {}
    for event in sorted(facts.node_events, key=moment_of):
        name = str(event["involvedObject"]["name"])
        events[name] = [] if event.get("reason") == "NodeReady" else [*events.get(name, []), event]
    for name, of_node in events.items():
        causes = (recognize("pod", str(event.get("message", "")), f"Node/{name}") for event in reversed(of_node))
        cause = next(filter(None, causes), None)
        if cause is not None:
            yield cause


def not_admitted(facts: Facts) -> Iterator[Cause]:
    """Workloads that Kueue holds back, by the words of their checks and conditions."""
    for workload in facts.queued_workloads:
        if is_true(workload, "Admitted") or is_true(workload, "Finished"):
            continue
        checks = (workload.get("status") or {}).get("admissionChecks") or []
        messages = [check.get("message") for check in checks if check.get("state") != "Ready"]
        messages += [(find_condition(workload, kind) or {}).get("message") for kind in ("Evicted", "QuotaReserved")]
        texts = [str(message) for message in messages if message]
        subject = f"Workload/{workload['metadata']['name']}"
        recognized = (recognize(origin, text, subject) for text in texts for origin in ("autoscaler", "scheduler"))
        evidence = texts[0] if texts else "no message yet"
        yield next(filter(None, recognized), None) or cause_of_state("queue-waits", subject, evidence)


def not_provisioned(facts: Facts) -> Iterator[Cause]:
    """Requests for machines that failed, expired or wait, while pods of the stack are missing."""
    if all(facts.ready(workload) >= workload.planned for workload in facts.workloads):
        return
    for request in facts.capacity_requests:
        subject = f"ProvisioningRequest/{request['metadata']['name']}"
        ended = next((kind for kind in _ENDS if is_true(request, kind)), None)
        if ended is None and is_true(request, "Provisioned"):
            continue
        condition = find_condition(request, ended or "Provisioned") or find_condition(request, "Accepted") or {}
        message = str(condition.get("message") or condition.get("reason") or "no message yet")
        yield recognize("autoscaler", message, subject) or (
            cause_of_state("capacity-refused", subject, message)
            if ended is not None
            else cause_of_state("capacity-requested", subject, message)
        )
