"""NetworkPolicies of the stack's namespace."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking import v1 as networking

from components.metadata import metadata
from components.scope import ClusterScope
from planning.plan.routing import AccessPlan, NetworkPolicyPlan, PeerPlan


class NetworkPolicies(pulumi.ComponentResource):
    """The allowed traffic of each workload. Each policy names both directions, so that all other traffic is denied."""

    def __init__(self, plans: tuple[NetworkPolicyPlan, ...], scope: ClusterScope) -> None:
        super().__init__("llm-d:security:NetworkPolicies", "network-policies", None, scope.opts)
        for plan in plans:
            networking.NetworkPolicy(
                plan.name,
                metadata=metadata(plan.name, scope.namespace),
                spec=networking.NetworkPolicySpecArgs(
                    pod_selector=LabelSelectorArgs(match_labels=dict(plan.selector)),
                    policy_types=["Ingress", "Egress"],
                    ingress=[
                        networking.NetworkPolicyIngressRuleArgs(from_=_peers(access), ports=_ports(access))
                        for access in plan.ingress
                    ],
                    egress=[
                        networking.NetworkPolicyEgressRuleArgs(to=_peers(access), ports=_ports(access))
                        for access in plan.egress
                    ],
                ),
                opts=scope.deleted_with_cluster(self, scope.ready),
            )
        self.register_outputs({})


def _peers(access: AccessPlan) -> list[networking.NetworkPolicyPeerArgs]:
    return [_peer(peer) for peer in access.peers]


def _peer(peer: PeerPlan) -> networking.NetworkPolicyPeerArgs:
    if peer.cidr is not None:
        block = networking.IPBlockArgs(cidr=peer.cidr, except_=list(peer.except_cidrs) or None)
        return networking.NetworkPolicyPeerArgs(ip_block=block)
    # Kubernetes sets this label on every namespace.
    namespace = {"kubernetes.io/metadata.name": peer.namespace} if peer.namespace is not None else None
    return networking.NetworkPolicyPeerArgs(
        pod_selector=LabelSelectorArgs(match_labels=dict(peer.pods)),
        namespace_selector=LabelSelectorArgs(match_labels=namespace) if namespace is not None else None,
    )


def _ports(access: AccessPlan) -> list[networking.NetworkPolicyPortArgs] | None:
    return [networking.NetworkPolicyPortArgs(protocol=protocol, port=port) for protocol, port in access.ports] or None
