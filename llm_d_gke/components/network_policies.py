"""NetworkPolicies in any namespace."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs
from pulumi_kubernetes.networking import v1 as networking

from llm_d_gke.components.instance import named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.planning.plan.routing import AccessPlan, NetworkPolicyPlan, PeerPlan


def network_policy(
    logical_name: str, plan: NetworkPolicyPlan, namespace: str, opts: pulumi.ResourceOptions
) -> networking.NetworkPolicy:
    """The allowed traffic of one workload. It names both directions, so that all other traffic is denied.

    Empty lists and maps are left out: the Kubernetes provider drops them as soon as it can reach the cluster, so that
    the update plan of a new stack, whose preview has no cluster, would hold fields that the update does not have.
    """
    return networking.NetworkPolicy(
        named(logical_name, opts),
        metadata=metadata(plan.name, namespace),
        spec=networking.NetworkPolicySpecArgs(
            pod_selector=_selector(plan.selector),
            policy_types=["Ingress", "Egress"],
            ingress=[
                networking.NetworkPolicyIngressRuleArgs(from_=_peers(access), ports=_ports(access))
                for access in plan.ingress
            ]
            or None,
            egress=[
                networking.NetworkPolicyEgressRuleArgs(to=_peers(access), ports=_ports(access))
                for access in plan.egress
            ]
            or None,
        ),
        opts=opts,
    )


def _selector(labels: Mapping[str, str]) -> LabelSelectorArgs:
    """Selects pods or namespaces with all labels; without any, all of them."""
    return LabelSelectorArgs(match_labels=dict(labels) or None)


def _peers(access: AccessPlan) -> list[networking.NetworkPolicyPeerArgs] | None:
    return [_peer(peer) for peer in access.peers] or None


def _peer(peer: PeerPlan) -> networking.NetworkPolicyPeerArgs:
    if peer.cidr is not None:
        block = networking.IPBlockArgs(cidr=peer.cidr, except_=list(peer.except_cidrs) or None)
        return networking.NetworkPolicyPeerArgs(ip_block=block)
    # Kubernetes sets this label on every namespace.
    namespace = {"kubernetes.io/metadata.name": peer.namespace} if peer.namespace is not None else None
    return networking.NetworkPolicyPeerArgs(
        pod_selector=_selector(peer.pods),
        namespace_selector=_selector(namespace) if namespace is not None else None,
    )


def _ports(access: AccessPlan) -> list[networking.NetworkPolicyPortArgs] | None:
    return [networking.NetworkPolicyPortArgs(protocol=protocol, port=port) for protocol, port in access.ports] or None
