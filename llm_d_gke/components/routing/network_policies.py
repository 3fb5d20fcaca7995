"""NetworkPolicies of the stack's namespace."""

from __future__ import annotations

from llm_d_gke.components.instance import Component
from llm_d_gke.components.network_policies import network_policy
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.planning.plan.routing import NetworkPolicyPlan


class NetworkPolicies(Component):
    """The allowed traffic of each workload."""

    def __init__(self, plans: tuple[NetworkPolicyPlan, ...], scope: ClusterScope) -> None:
        super().__init__("llm-d:security:NetworkPolicies", "network-policies", scope.opts)
        for plan in plans:
            network_policy(plan.name, plan, scope.namespace, scope.deleted_with_cluster(self, scope.ready))
        self.register_outputs({})
