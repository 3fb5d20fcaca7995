"""NetworkPolicies: one in any namespace, and those of the stack's own."""

from __future__ import annotations

from typing import cast

import pulumi
from pulumi_kubernetes.networking import v1 as networking

from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.planning.plan.routing import NetworkPolicyPlan
from llm_d_gke.planning.routing.network_policies import policy_spec


def network_policy(
    logical_name: str, plan: NetworkPolicyPlan, namespace: str, opts: pulumi.ResourceOptions
) -> networking.NetworkPolicy:
    """The allowed traffic of one workload."""
    # The SDK passes plain values in Kubernetes' own spelling through.
    spec = cast("networking.NetworkPolicySpecArgs", policy_spec(plan))
    return networking.NetworkPolicy(
        named(logical_name, opts), metadata=metadata(plan.name, namespace), spec=spec, opts=opts
    )


class NetworkPolicies(Component):
    """The allowed traffic of each workload, created before it and deleted when its pods are gone.

    Google's Dataplane V2 holds packets of open connections to the policies too (Cilium, bpf/bpf_lxc.c): without the
    policy of a pod that ends, the answers on their way from it would break off.
    """

    created: list[pulumi.Resource]

    def __init__(self, plans: tuple[NetworkPolicyPlan, ...], scope: ClusterScope) -> None:
        super().__init__("llm-d:security:NetworkPolicies", "network-policies", scope.opts)
        self.created = []
        # What closes the whole namespace comes last, and goes first: pods may run already.
        for plan in sorted(plans, key=lambda plan: not plan.selector):
            options = scope.deleted_with_cluster(self, [*scope.ready, *([] if plan.selector else self.created)])
            self.created.append(network_policy(plan.name, plan, scope.namespace, options))
        self.register_outputs({})
