"""PodDisruptionBudgets: a node that is drained takes one replica at a time."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.policy import v1 as policy

from components.metadata import metadata


def disruption_budget(
    name: str, namespace: str, selector: Mapping[str, str], replicas: int, opts: pulumi.ResourceOptions
) -> policy.PodDisruptionBudget | None:
    """At most one replica away. None below two replicas: there it would forbid nothing, or every drain."""
    if replicas < 2:
        return None
    return policy.PodDisruptionBudget(
        name,
        metadata=metadata(name, namespace, labels=selector),
        # `maxUnavailable` follows a changed number of replicas; a minimum would have to be told.
        spec=policy.PodDisruptionBudgetSpecArgs(
            max_unavailable=1, selector=LabelSelectorArgs(match_labels=dict(selector))
        ),
        opts=opts,
    )
