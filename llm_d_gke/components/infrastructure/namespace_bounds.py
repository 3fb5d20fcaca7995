"""Bounds of the pods of a namespace: a quota, default limits of containers, and no API token by default."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.core import v1 as core

from llm_d_gke.components.instance import named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.planning.plan.platform import NamespacePlan


def namespace_bounds(plan: NamespacePlan, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Create the bounds that the plan has. `opts` depend on the namespace."""
    # Kubernetes creates this account in every namespace and deletes it with the namespace.
    account = core.ServiceAccount(
        named(f"{plan.name}-default-account", opts),
        metadata=metadata("default", plan.name),
        automount_service_account_token=False,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(retain_on_delete=True)),
    )
    bounds: list[pulumi.Resource] = [account]
    if plan.quota:
        bounds.append(
            core.ResourceQuota(
                named(f"{plan.name}-quota", opts),
                metadata=metadata("quota", plan.name),
                spec=core.ResourceQuotaSpecArgs(hard=dict(plan.quota)),
                opts=opts,
            )
        )
    if plan.default_limits:
        limits = core.LimitRangeItemArgs(
            type="Container", default=dict(plan.default_limits), default_request=dict(plan.default_requests)
        )
        bounds.append(
            core.LimitRange(
                named(f"{plan.name}-limits", opts),
                metadata=metadata("limits", plan.name),
                spec=core.LimitRangeSpecArgs(limits=[limits]),
                opts=opts,
            )
        )
    return bounds
