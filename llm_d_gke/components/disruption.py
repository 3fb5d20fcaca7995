"""PodDisruptionBudgets: draining nodes evicts one replica at a time."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.policy import v1 as policy

from llm_d_gke.components.instance import named
from llm_d_gke.components.metadata import metadata


def disruption_budget(
    name: str, namespace: str, selector: Mapping[str, str], replicas: int, opts: pulumi.ResourceOptions
) -> policy.PodDisruptionBudget | None:
    """A budget of one unavailable replica, or None below two replicas, where a budget allows every or no eviction."""
    if replicas < 2:
        return None
    return policy.PodDisruptionBudget(
        named(name, opts),
        metadata=metadata(name, namespace, labels=selector),
        # `maxUnavailable` stays right when replicas are scaled; `minAvailable` would have to change with them.
        # By default replicas of which none is ready, such as ones that crash, keep their node from being drained.
        spec=policy.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            selector=LabelSelectorArgs(match_labels=dict(selector)),
            unhealthy_pod_eviction_policy="AlwaysAllow",
        ),
        opts=opts,
    )
