"""Membership of the cluster in its project's fleet, and the feature through which one cluster configures all."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.components.infrastructure.cluster import ClusterResources
from llm_d_gke.components.infrastructure.services import ProjectServices
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.options import child
from llm_d_gke.planning.plan.routing import FleetPlan


class FleetMembership(Component):
    """Registers the cluster. In the stack of the config cluster it also turns the fleet's multi-cluster Gateways on."""

    ready: list[pulumi.Resource]

    def __init__(
        self,
        plan: FleetPlan,
        cluster: ClusterResources,
        services: ProjectServices,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:cluster:FleetMembership", "fleet", opts)
        membership = gcp.gkehub.Membership(
            named("membership", self),
            membership_id=plan.membership,
            project=cluster.project,
            location="global",
            endpoint={"gke_cluster": {"resource_link": f"//container.googleapis.com/{cluster.plan.identifier}"}},
            labels=dict(cluster.plan.labels),
            # An existing cluster does not wait for the fleet's services.
            opts=child(self, depends_on=[*services.services, *([cluster.created] if cluster.created else [])]),
        )
        self.ready = [membership]
        if plan.config:
            feature = gcp.gkehub.Feature(
                named("multi-cluster-ingress", self),
                name="multiclusteringress",
                project=cluster.project,
                location="global",
                spec={"multiclusteringress": {"config_membership": membership.id}},
                opts=child(self),
            )
            self.ready.append(feature)
        self.register_outputs({})
