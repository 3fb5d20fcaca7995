"""Membership of the cluster in its project's fleet, and the feature through which one cluster configures all."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.infrastructure.cluster import ClusterResources
from llm_d_gke.components.infrastructure.services import ProjectServices
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import child
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.google_types import FLEET_GUARD
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


def fleet_guard(fleet: FleetPlan, scope: ClusterScope, after: Sequence[pulumi.Resource]) -> None:
    """A protected object that depends on what serves requests, so that a destroy deletes none of it.

    Pulumi skips what a resource depends on whose deletion it refuses, and only that (pulumi/pulumi v3.259.0,
    pkg/resource/deploy/deployment_executor.go): a protected pool would stay without its servers.
    """
    kubernetes.core.v1.ConfigMap(
        named(FLEET_GUARD, scope.opts),
        metadata=metadata(FLEET_GUARD, scope.namespace),
        data={"destroy": "set fleet.exported to false and run an update first; make destroy does it by itself"},
        opts=pulumi.ResourceOptions.merge(
            scope.opts, pulumi.ResourceOptions(depends_on=list(after), protect=fleet.exported)
        ),
    )
