"""What a program needs to answer its metrics to authorized callers only."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.rbac import v1 as rbac

from components.infrastructure.permissions import rule, service_account, the_role
from components.metadata import metadata


def may_check_callers(
    name: str, namespace: str, labels: Mapping[str, str], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """The ServiceAccount `name` may ask the API server who a token belongs to, and what its owner may do."""
    # Cluster-wide objects need names of their own: another stack may use the same name.
    wide = f"{namespace}-{name}-metrics-auth"
    role = rbac.ClusterRole(
        name,
        metadata=metadata(wide, labels=labels),
        rules=[
            rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
            rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
        ],
        opts=opts,
    )
    binding = rbac.ClusterRoleBinding(
        name,
        metadata=metadata(wide, labels=labels),
        role_ref=the_role("ClusterRole", wide),
        subjects=[service_account(namespace, name)],
        opts=opts,
    )
    return [role, binding]
