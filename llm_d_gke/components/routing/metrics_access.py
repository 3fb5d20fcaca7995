"""Permissions of a workload that authorizes the callers of its metrics endpoint."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.rbac import v1 as rbac

from llm_d_gke.components.infrastructure.permissions import role_ref_of, rule, service_account
from llm_d_gke.components.instance import named
from llm_d_gke.components.metadata import metadata


def grant_token_review(
    name: str, namespace: str, labels: Mapping[str, str], opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Let the ServiceAccount `name` have the API server review tokens and access (TokenReview, SubjectAccessReview)."""
    # Cluster-scoped objects include the namespace in their names, because another stack may use the same name.
    wide = f"{namespace}-{name}-metrics-auth"
    role = rbac.ClusterRole(
        named(name, opts),
        metadata=metadata(wide, labels=labels),
        rules=[
            rule(["authentication.k8s.io"], ["tokenreviews"], ["create"]),
            rule(["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
        ],
        opts=opts,
    )
    binding = rbac.ClusterRoleBinding(
        named(name, opts),
        metadata=metadata(wide, labels=labels),
        role_ref=role_ref_of("ClusterRole", wide),
        subjects=[service_account(namespace, name)],
        opts=opts,
    )
    return [role, binding]
