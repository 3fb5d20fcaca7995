"""A Job beside a stack, on its CPU pool: accelerators would be paid for and idle.

Its pod fulfills Pod Security `restricted`, has no token of the Kubernetes API, takes no connections, and opens only
those that its NetworkPolicy lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.plan.routing import AccessPlan, NetworkPolicyPlan
from llm_d_gke.planning.routing.network_policies import dns_access, policy_spec

LABEL = "app.kubernetes.io/name"
_USER = 12000
_RUN_AS = {"runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER}

# The owner of mounted files, for volumes whose driver takes it as an option.
OWNER = f"uid={_USER},gid={_USER}"

Object = dict[str, Any]


def metadata_of(plan: StackPlan, name: str) -> Object:
    """Metadata of the Job and of the objects created with it."""
    return {"name": name, "namespace": plan.namespace.name, "labels": {LABEL: name}}


def job(
    plan: StackPlan,
    metadata: Mapping[str, Any],
    container: Mapping[str, Any],
    pod: Mapping[str, Any],
    *,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """`spec` has further fields of the Job, `pod` of its pod. With `backoffLimit=0` no failed pod starts again."""
    context = {
        **_RUN_AS,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    labels = {"labels": metadata["labels"]}
    selector = {"nodeSelector": {"cloud.google.com/gke-nodepool": plan.cpu_pool.name}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": dict(metadata),
        "spec": {
            **spec,
            "template": {
                "metadata": {**labels, "annotations": dict(annotations)} if annotations else labels,
                "spec": {
                    "serviceAccountName": metadata["name"],
                    "restartPolicy": "OnFailure" if spec["backoffLimit"] else "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    **({} if plan.cpu_pool.autopilot else selector),
                    "securityContext": {
                        **_RUN_AS,
                        "fsGroup": _USER,
                        "fsGroupChangePolicy": "OnRootMismatch",
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    **pod,
                    "containers": [{**container, "securityContext": context}],
                },
            },
        },
    }


def account(metadata: Mapping[str, Any]) -> Object:
    """The Job's own ServiceAccount. What the namespace's default account may do is not the stack's to decide."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": dict(metadata),
        "automountServiceAccountToken": False,
    }


def egress_policy(metadata: Mapping[str, Any], egress: Iterable[AccessPlan]) -> Object:
    """Nothing in; out to name servers and to `egress`."""
    plan = NetworkPolicyPlan(name=metadata["name"], selector=metadata["labels"], egress=(*dns_access(), *egress))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": dict(metadata),
        "spec": policy_spec(plan),
    }
