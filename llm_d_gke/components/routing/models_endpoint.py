"""The default backend: identity, Deployment, Service, and the load balancer's health check."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apps import v1 as apps

from llm_d_gke.components.cluster_service import cluster_service, service_port
from llm_d_gke.components.custom_resources.base import PolicyTarget, custom_resource
from llm_d_gke.components.custom_resources.gke_policies import HttpCheck, health_check
from llm_d_gke.components.disruption import disruption_budget
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import child
from llm_d_gke.components.pods import deployment_spec
from llm_d_gke.components.routing.edge import guard_service
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.planning.plan.routing import ModelsEndpointPlan


class ModelsEndpoint(Component):
    """Serves the list of models and health, and returns 404 for requests that name no model of this stack."""

    ready: list[pulumi.Resource]

    def __init__(self, plan: ModelsEndpointPlan, scope: ClusterScope, guards: Sequence[pulumi.Resource]) -> None:
        super().__init__("llm-d:gateway:ModelIndex", plan.name, scope.opts)
        options = scope.deleted_with_cluster(self, scope.ready)
        described = metadata(plan.name, scope.namespace, labels=plan.selector)
        account = kubernetes.core.v1.ServiceAccount(
            named(plan.name, options), metadata=described, automount_service_account_token=False, opts=options
        )
        service = cluster_service(plan.name, described, plan.selector, [service_port("http", plan.port)], options)
        health = custom_resource(
            f"{plan.name}-health",
            health_check(
                PolicyTarget(group="", kind="Service", name=plan.name),
                plan.health_interval,
                http=HttpCheck(port=plan.port, request_path=plan.health_path),
            ),
            metadata=metadata(plan.name, scope.namespace),
            opts=child(self, depends_on=[service]),
        )
        guard = guard_service(
            plan.name, plan.access, plan.timeout_seconds, scope.namespace, child(self, depends_on=[service, *guards])
        )
        deployment = apps.Deployment(
            named(plan.name, self),
            metadata=described,
            spec=deployment_spec(plan.replicas, plan.selector, plan.pod),
            opts=child(self, depends_on=[*scope.ready, account]),
        )
        disruption_budget(plan.name, scope.namespace, plan.selector, plan.replicas, options)
        self.ready = [service, health, *guard, deployment]
        self.register_outputs({})
