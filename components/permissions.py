"""The parts of Kubernetes roles and bindings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pulumi_kubernetes.rbac.v1 import PolicyRuleArgs, RoleRefArgs, SubjectArgs

READ = ("get", "list", "watch")


def rule(
    api_groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str], *, names: Sequence[str] | None = None
) -> PolicyRuleArgs:
    """A rule about resources, or with `names` about those of them alone. The core API group is the empty text."""
    return PolicyRuleArgs(api_groups=api_groups, resources=resources, verbs=verbs, resource_names=names)


def the_role(kind: Literal["Role", "ClusterRole"], name: str) -> RoleRefArgs:
    """The role that a binding grants."""
    return RoleRefArgs(api_group="rbac.authorization.k8s.io", kind=kind, name=name)


def service_account(namespace: str, name: str) -> SubjectArgs:
    """The account that a binding grants its role to."""
    return SubjectArgs(kind="ServiceAccount", name=name, namespace=namespace)
