"""One inference environment: the components in the order in which they need each other."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from components.infrastructure.cluster import InferenceCluster
from components.infrastructure.namespace import NamespaceResources
from components.infrastructure.network import InferenceNetwork
from components.infrastructure.node_pools import NodePools
from components.infrastructure.services import ProjectServices
from components.platform.certificates import Certificate
from components.platform.crds import InferenceCrds
from components.platform.helm_releases import PlatformCharts
from components.platform.kserve_presets import Presets
from components.platform.monitoring import Monitoring
from components.routing.endpoint_picker import EndpointPicker
from components.routing.gateway import InferenceGateway, InferenceRoute
from components.routing.inference_pool import InferencePool
from components.routing.model_router import ModelRouter
from components.routing.models_endpoint import ModelsEndpoint
from components.routing.network_policies import NetworkPolicies
from components.serving.inference_service import InferenceService
from components.serving.model_server import ModelServer
from planning.plan.stack import StackPlan


class InferenceStack(pulumi.ComponentResource):
    """Everything of one stack.

    Destroying goes the other way round: routes and Gateway first, while the cluster that owns the load balancer's
    parts still runs; then node pools and cluster; then the network.
    """

    address: pulumi.Output[str]

    def __init__(self, plan: StackPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-d:stack:InferenceStack", plan.stack, None, opts)
        provider = gcp.Provider(
            "gcp",
            project=plan.project,
            region=plan.region,
            default_labels=dict(plan.labels),
            opts=pulumi.ResourceOptions(parent=self),
        )
        cloud = pulumi.ResourceOptions(parent=self, providers=[provider])
        services = ProjectServices(plan.project, plan.services, cloud)
        network = InferenceNetwork(plan.network, plan.project, services, cloud)
        cluster = InferenceCluster(plan.cluster, plan.network, plan.project, network, services, cloud)
        pools = NodePools(plan.cpu_pool, plan.accelerator_pools, plan.project, plan.location, cluster.resources, cloud)
        inside = pulumi.ResourceOptions(parent=self, providers=[provider, cluster.resources.provider])
        # Nothing in the cluster is worth creating before a node can run it, or after the last one is gone.
        nodes: list[pulumi.Resource] = [pools.cpu, *pools.accelerators]
        gone = cluster.resources.created
        namespace = plan.namespace.name
        crds = InferenceCrds(
            plan.crds, pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=[pools.cpu]))
        )
        charts = PlatformCharts(
            plan.charts,
            plan.chart_namespaces,
            [pools.cpu, *crds.resources],
            gone,
            inside,
        )
        workspace = NamespaceResources(
            plan.namespace,
            plan.hugging_face,
            plan.pull_secret,
            plan.project,
            pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=[pools.cpu])),
        )
        # Istio's Gateways need its controller, which also takes their Services down again.
        before = [pools.cpu, *workspace.ready, *(charts.ready if plan.gateway.implementation == "istio" else [])]
        signing = [pools.cpu, *workspace.ready, *charts.ready]
        issuers: dict[str, pulumi.Resource] = {}
        if plan.gateway.certificate is not None:
            before.append(Certificate(plan.gateway.certificate, namespace, issuers, signing, gone, inside).signed)
        gateway = InferenceGateway(
            plan.gateway,
            plan.project,
            namespace,
            network.resources,
            services,
            before,
            inside,
        )
        ready = [*workspace.ready, *crds.resources, *charts.ready]
        certificates = {
            model.key: Certificate(model.certificate, namespace, issuers, signing, gone, inside).signed
            for model in plan.models
            if model.certificate is not None
        }
        routed: dict[str, list[pulumi.Resource]] = {}
        for model in plan.models:
            if model.inference_service is not None:
                continue
            picker = EndpointPicker(model.picker, namespace, [pools.cpu, *ready], gone, inside)
            pool = InferencePool(model.pool, namespace, [*ready, picker.service], inside)
            shown = [certificates[model.key]] if model.key in certificates else []
            for server in model.servers:
                after = [*nodes, *ready, *shown]
                ModelServer(server, namespace, plan.project, plan.cluster.workload_pool, after, gone, inside)
            routed[model.pool.name] = [pool.pool, picker.deployment]
        # A route that matches what the router says comes after it, and goes before it.
        asked: list[pulumi.Resource] = []
        if plan.router is not None:
            place = [pools.cpu, *workspace.ready]
            asked.append(ModelRouter(plan.router, namespace, gateway.gateway, place, gone, inside).extension)
        if plan.models_endpoint is not None:
            index = ModelsEndpoint(plan.models_endpoint, namespace, [pools.cpu, *workspace.ready], gone, inside)
            asked += index.ready
        routes: dict[str, pulumi.Resource] = {}
        for route in plan.routes:
            backends = [one for rule in route.rules for pool, _ in rule.pools for one in routed.get(pool, [])]
            after = [gateway.gateway, *asked, *backends]
            routes[route.name] = InferenceRoute(route, plan.gateway, namespace, after, inside).route
        presets = Presets(plan.presets, namespace, ready, gone, inside).ready if plan.presets else []
        for model in plan.models:
            if model.inference_service is None:
                continue
            shown = [certificates[model.key]] if model.key in certificates else []
            InferenceService(
                model.inference_service,
                model,
                namespace,
                plan.gateway.name,
                plan.project,
                plan.cluster.workload_pool,
                [*nodes, *ready, *shown, *presets, *(routes[name] for name in model.inference_service.routes)],
                gone,
                inside,
            )
        NetworkPolicies(plan.network_policies, namespace, [pools.cpu, *workspace.ready], gone, inside)
        if plan.monitoring.enabled:
            Monitoring(
                plan.monitoring, plan.models, plan.router, namespace, [pools.cpu, *workspace.ready], gone, inside
            )
        self.address = gateway.address
        self.register_outputs({"address": self.address})
