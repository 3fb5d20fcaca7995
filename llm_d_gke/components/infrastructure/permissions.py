"""Kubernetes roles and bindings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import pulumi
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgs, Role, RoleBinding, RoleRefArgs, SubjectArgs

from llm_d_gke.components.instance import named
from llm_d_gke.components.metadata import metadata

READ = ("get", "list", "watch")


def rule(
    api_groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str], *, names: Sequence[str] | None = None
) -> PolicyRuleArgs:
    """A rule for resources, limited to `names` if set. The core API group is the empty string."""
    return PolicyRuleArgs(api_groups=api_groups, resources=resources, verbs=verbs, resource_names=names)


def role_ref_of(kind: Literal["Role", "ClusterRole"], name: str) -> RoleRefArgs:
    """Reference to the role that a binding grants."""
    return RoleRefArgs(api_group="rbac.authorization.k8s.io", kind=kind, name=name)


def service_account(namespace: str, name: str) -> SubjectArgs:
    """The service account that a binding grants its role to."""
    return SubjectArgs(kind="ServiceAccount", name=name, namespace=namespace)


def grant_role(
    account: str,
    namespace: str,
    rules: Sequence[PolicyRuleArgs],
    labels: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """Grant an account rules in its own namespace, through a Role and a RoleBinding of the account's name."""
    about = metadata(account, namespace, labels=labels)
    role = Role(named(account, opts), metadata=about, rules=rules, opts=opts)
    binding = RoleBinding(
        named(account, opts),
        metadata=about,
        role_ref=role_ref_of("Role", account),
        subjects=[service_account(namespace, account)],
        opts=opts,
    )
    return [role, binding]
