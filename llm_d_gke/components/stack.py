"""The components of a stack, in the order of their dependencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.google_provider import STACK_TYPE, google_provider
from llm_d_gke.components.infrastructure.cluster import InferenceCluster
from llm_d_gke.components.infrastructure.compute_class import compute_class
from llm_d_gke.components.infrastructure.fleet import FleetMembership, fleet_guard
from llm_d_gke.components.infrastructure.namespace import NamespaceResources
from llm_d_gke.components.infrastructure.network import InferenceNetwork
from llm_d_gke.components.infrastructure.node_pools import NodePools
from llm_d_gke.components.infrastructure.services import ProjectServices
from llm_d_gke.components.instance import Instance, claim_names
from llm_d_gke.components.late_values import Late, separate_outputs, with_digest, with_setting_names
from llm_d_gke.components.messages import log_warning
from llm_d_gke.components.network_policies import NetworkPolicies
from llm_d_gke.components.options import after
from llm_d_gke.components.outputs import endpoint_of, model_endpoint
from llm_d_gke.components.platform.budget import billing_budget
from llm_d_gke.components.platform.certificates import Certificate
from llm_d_gke.components.platform.crds import InferenceCrds
from llm_d_gke.components.platform.dashboards import Dashboards
from llm_d_gke.components.platform.helm_releases import Controllers, PlatformCharts
from llm_d_gke.components.platform.kserve_presets import Presets
from llm_d_gke.components.platform.monitoring import Monitoring
from llm_d_gke.components.routing.endpoint_picker import EndpointPicker
from llm_d_gke.components.routing.gateway import FleetGateway, InferenceGateway, InferenceRoute
from llm_d_gke.components.routing.inference_pool import InferencePool
from llm_d_gke.components.routing.model_router import ModelRouter
from llm_d_gke.components.routing.models_endpoint import ModelsEndpoint
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.components.serving.autoscaling import Autoscaling
from llm_d_gke.components.serving.inference_service import InferenceService, RouterRefs
from llm_d_gke.components.serving.model_server import ModelServer
from llm_d_gke.planning import RefusedError, plan_stack
from llm_d_gke.planning.plan.platform import CertificatePlan
from llm_d_gke.planning.plan.routing import RoutePlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.platform.helm_releases import KEDA, KEDA_NAMESPACE, KEDA_OPERATOR
from llm_d_gke.settings import StackSettings


@dataclass(frozen=True, kw_only=True)
class _Infrastructure:
    """The components in Google Cloud. `opts` carries the Google Cloud and the Kubernetes providers."""

    provider: gcp.Provider
    services: ProjectServices
    network: InferenceNetwork
    cluster: InferenceCluster
    pools: NodePools
    fleet: tuple[pulumi.Resource, ...]
    classes: tuple[pulumi.Resource, ...]
    opts: pulumi.ResourceOptions

    @property
    def nodes(self) -> list[pulumi.Resource]:
        return [*self.pools.cpu_ready, *self.pools.accelerators, *self.classes]


@dataclass(frozen=True, kw_only=True)
class _Platform:
    """The components in the cluster that model servers depend on.

    `controllers` are the Helm releases. Custom resources depend on `kinds_ready`: the namespace with its
    credentials, the CRDs and their controllers.
    """

    scope: ClusterScope
    namespace: pulumi.Output[str]
    controllers: tuple[pulumi.Resource, ...]
    kinds_ready: tuple[pulumi.Resource, ...]


_Certificates = Mapping[str, pulumi.Resource]


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model as clients reach it: `name` in requests to the OpenAI-compatible API below `endpoint`."""

    name: str
    endpoint: pulumi.Output[str]


class _RefusedRunError(RefusedError, pulumi.RunError):
    """A refusal that Pulumi prints without a traceback: the mistake is in the settings."""


def _planned(stack: str, settings: StackSettings | Mapping[str, Any], late: Late) -> StackPlan:
    """The plan, with its warnings logged."""
    try:
        plan = plan_stack(stack, settings)
    except RefusedError as refused:
        raise _RefusedRunError(with_setting_names(refused.findings, late)) from None
    for finding in with_setting_names(plan.warnings, late):
        log_warning(finding, stack)
    return plan


class InferenceStack(pulumi.ComponentResource):
    """Creates all resources of a stack.

    Destroy runs in reverse: first routes and Gateway, while the controllers that own the load balancer's parts still
    run in the cluster; then node pools and cluster; then the network.

    Args:
        name: Logical name. Logical names of all resources begin with it, so that a program can have several stacks.
        settings: Typed settings, a plan, or a mapping with the keys of a stack file without their `llm-d:`. In a
            mapping, secrets and the names in `network.existing` may be outputs.
        opts: Options of the component, for example `depends_on` or `protect`.
        stack: Name in all names in Google Cloud, by default the Pulumi stack's name and `name`. A plan has its own.
        prefix: What logical names begin with instead of `name`. Empty: with nothing, as in the project's own program.

    Raises `RefusedError` with every finding if the settings cannot work, `OutputRefusedError` for an output whose value
    planning needs.

    Attributes:
        plan: What the settings led to, with estimates of memory, cost and capacity.
        provider: Provider for objects in the cluster.
        google_provider: Provider for resources of the project.
        kubeconfig: Kubeconfig without credentials; `gke-gcloud-auth-plugin` requests them.
        cluster_name: Name of the cluster, known once it exists.
        namespace: Namespace of Gateway, pickers and model servers, known once it exists.
        network, subnetwork: `projects/...` ids.
        address: IP address of the Gateway.
        endpoint: URL of the Gateway, with the host name if there is one.
        models: Models with their endpoints. Only with KServe each model has a path of its own.
    """

    plan: StackPlan
    provider: kubernetes.Provider
    google_provider: gcp.Provider
    kubeconfig: pulumi.Output[str]
    cluster_name: pulumi.Output[str]
    namespace: pulumi.Output[str]
    network: pulumi.Output[str]
    subnetwork: pulumi.Output[str]
    address: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    models: Sequence[ServedModel]
    instance: Instance

    def __init__(
        self,
        name: str,
        settings: StackSettings | StackPlan | Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
        *,
        stack: str | None = None,
        prefix: str | None = None,
    ) -> None:
        # Before the component is registered: a refusal then leaves nothing behind.
        late: Late = {}
        if isinstance(settings, StackPlan):
            plan = settings
        else:
            if isinstance(settings, Mapping):
                settings, late = separate_outputs(settings)
            plan = _planned(stack or f"{pulumi.get_stack()}-{name}", settings, late)
        claim_names(plan)
        super().__init__(STACK_TYPE, name, None, opts)
        self.instance = Instance(prefix=name if prefix is None else prefix, late=with_digest(late, plan))
        self.plan = plan
        # Deployments, LeaderWorkerSets and services, by the name of the model server.
        self._workloads: dict[str, pulumi.Resource] = {}
        infrastructure = self._infrastructure()
        platform = self._platform(infrastructure)
        certificates = self._certificates(platform)
        gateway = self._gateway(infrastructure, platform, certificates)
        pools, servers = self._direct_models(infrastructure, platform, certificates, gateway.guards)
        routers = self._request_routing(platform.scope, gateway)
        before_routes = [*gateway.ready, *routers]
        # The load balancer sets up its backends while the weights are still on their way.
        self._routes(platform.scope, before_routes, pools, early=True)
        servers |= self._kserve_models(infrastructure, platform, certificates, gateway.guards)
        # The other routes change to new pools when their servers are ready. Until then the old servers answer.
        self._routes(platform.scope, before_routes, servers, early=False)
        self._autoscaling(platform)
        fleet = plan.gateway.fleet
        if fleet is not None and not fleet.config:
            served = [resource for group in servers.values() for resource in group]
            fleet_guard(fleet, platform.scope, [*infrastructure.fleet, *served])
        if plan.monitoring.enabled:
            Monitoring(plan.monitoring, plan.models, plan.router, platform.scope)
        if plan.monitoring.dashboard is not None or plan.monitoring.alerts:
            Dashboards(plan.monitoring, plan.project, plan.labels, infrastructure.opts)
        if plan.monitoring.budget is not None:
            billing_budget(plan.monitoring.budget, infrastructure.services.services, infrastructure.opts)
        self._set_outputs(infrastructure, platform, gateway.address)

    def _set_outputs(self, infrastructure: _Infrastructure, platform: _Platform, address: pulumi.Output[str]) -> None:
        cluster, network = infrastructure.cluster.resources, infrastructure.network.resources
        self.provider, self.google_provider = cluster.provider, infrastructure.provider
        self.kubeconfig, self.cluster_name = cluster.kubeconfig, cluster.created_name
        self.network, self.subnetwork = network.network, network.subnetwork
        self.namespace = platform.namespace
        self.address, self.endpoint = address, endpoint_of(self.plan, address)
        self.models = tuple(
            ServedModel(name=model.served_name, endpoint=model_endpoint(model, self.endpoint))
            for model in self.plan.models
        )
        self.register_outputs({"address": self.address})

    def _infrastructure(self) -> _Infrastructure:
        """Create the APIs, network, cluster and node pools."""
        plan = self.plan
        provider = google_provider(plan, self)
        opts = pulumi.ResourceOptions(parent=self, providers=[provider])
        services = ProjectServices(plan.project, plan.services, opts)
        network = InferenceNetwork(plan.network, plan.project, services, opts)
        cluster = InferenceCluster(plan.cluster, plan.project, network.resources, services, opts)
        network.create_proxies(cluster.resources.provider)
        pools = NodePools(plan.cpu_pool, plan.accelerator_pools, cluster.resources, opts)
        membership = plan.gateway.fleet
        fleet = FleetMembership(membership, cluster.resources, services, opts) if membership is not None else None
        in_cluster = pulumi.ResourceOptions(parent=self, providers=[provider, cluster.resources.provider])
        return _Infrastructure(
            provider=provider,
            services=services,
            network=network,
            cluster=cluster,
            pools=pools,
            fleet=tuple(fleet.ready) if fleet is not None else (),
            classes=tuple(
                compute_class(pool.compute_class, pool, pools.cpu_ready, in_cluster)
                for pool in plan.accelerator_pools
                if pool.compute_class is not None
            ),
            opts=in_cluster,
        )

    def _platform(self, infrastructure: _Infrastructure) -> _Platform:
        """Create CRDs, controllers and the namespace, after the CPU nodes that their pods need."""
        plan, cpu_nodes = self.plan, infrastructure.pools.cpu_ready
        deleted_with = infrastructure.cluster.resources.created
        after_nodes = after(infrastructure.opts, *cpu_nodes)
        crds = InferenceCrds(plan.crds, infrastructure.cluster.resources.adopt, after_nodes)
        charts = PlatformCharts(
            Controllers(charts=plan.charts, namespaces=plan.chart_namespaces, policies=plan.chart_policies),
            [*cpu_nodes, *crds.resources],
            deleted_with,
            infrastructure.opts,
        )
        created = NamespaceResources(plan, after_nodes)
        scope = ClusterScope(
            project=plan.project,
            workload_pool=plan.cluster.workload_pool,
            namespace=plan.namespace.name,
            opts=infrastructure.opts,
            deleted_with=deleted_with,
            ready=(*cpu_nodes, *created.ready),
        )
        policies = NetworkPolicies(plan.network_policies, scope).created
        return _Platform(
            namespace=created.name,
            scope=replace(scope, ready=(*scope.ready, *policies)),
            controllers=tuple(charts.ready),
            kinds_ready=(*created.ready, *policies, *crds.resources, *charts.ready),
        )

    def _certificates(self, platform: _Platform) -> _Certificates:
        """Create the certificates of Gateway and model servers; the result is by name."""
        plans = [self.plan.gateway.certificate, *(model.certificate for model in self.plan.models)]
        depends_on = [*platform.scope.ready, *platform.controllers]
        issuers: dict[str, pulumi.Resource] = {}
        return {
            plan.name: Certificate(plan, issuers, platform.scope, depends_on).signed
            for plan in plans
            if plan is not None
        }

    def _gateway(
        self, infrastructure: _Infrastructure, platform: _Platform, certificates: _Certificates
    ) -> InferenceGateway | FleetGateway:
        plan, network = self.plan.gateway, infrastructure.network.resources
        depends_on = [*platform.scope.ready, *_signed(certificates, plan.certificate)]
        if plan.fleet is not None:
            depends_on += [*infrastructure.fleet, *network.proxies]
            return FleetGateway(plan, plan.fleet, network.proxies, platform.scope, depends_on)
        if plan.implementation == "istio":
            # Istio's controller programs the Gateway, and deletes the Gateway's Service on destroy.
            depends_on += platform.controllers
        provider = infrastructure.cluster.resources.provider
        return InferenceGateway(plan, network, infrastructure.services, provider, platform.scope, depends_on)

    def _direct_models(
        self,
        infrastructure: _Infrastructure,
        platform: _Platform,
        certificates: _Certificates,
        guards: Sequence[pulumi.Resource],
    ) -> tuple[dict[str, list[pulumi.Resource]], dict[str, list[pulumi.Resource]]]:
        """Create pool, picker and servers of models without KServe.

        Returns by pool name what early routes wait for, and what the other routes wait for.
        """
        scope = platform.scope
        pools: dict[str, list[pulumi.Resource]] = {}
        servers: dict[str, list[pulumi.Resource]] = {}
        for model in self.plan.models:
            if model.inference_service is not None:
                continue
            picker = EndpointPicker(model.picker, scope, [*scope.ready, *platform.kinds_ready])
            pool = InferencePool(model.pool, scope, [*platform.kinds_ready, *guards, picker.service])
            pools[model.pool.name] = [pool.pool, picker.deployment]
            servers[model.pool.name] = list(pools[model.pool.name])
            for server in model.servers:
                signed = _signed(certificates, model.certificate)
                created = ModelServer(server, scope, [*infrastructure.nodes, *platform.kinds_ready, *signed])
                self._workloads[server.name] = created.workload
                servers[model.pool.name].append(created.workload)
        return pools, servers

    def _request_routing(self, scope: ClusterScope, gateway: InferenceGateway | FleetGateway) -> list[pulumi.Resource]:
        """Create the model router before the routes that match its header, so that it is also deleted after them."""
        plan = self.plan
        ready: list[pulumi.Resource] = []
        if plan.router is not None:
            ready.append(ModelRouter(plan.router, gateway.ready[0], scope).extension)
        if plan.models_endpoint is not None:
            ready += ModelsEndpoint(plan.models_endpoint, scope, gateway.guards).ready
        return ready

    def _routes(
        self,
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
        pools: Mapping[str, Sequence[pulumi.Resource]],
        *,
        early: bool,
    ) -> None:
        """Create the routes that are early or those that are not, each after what it waits for of its pools."""
        for route in self.plan.routes:
            if route.early is early:
                InferenceRoute(route, self.plan.gateway, scope, [*depends_on, *_backends(route, pools)])

    def _kserve_models(
        self,
        infrastructure: _Infrastructure,
        platform: _Platform,
        certificates: _Certificates,
        guards: Sequence[pulumi.Resource],
    ) -> dict[str, list[pulumi.Resource]]:
        """Create the services; the result is by pool name.

        Gateway and early routes come beside them, not before: KServe creates the servers first, and looks for both
        again when they change (kserve v0.17.0 to v0.20.0, pkg/controller/v1alpha2/llmisvc/controller.go).
        """
        plan, scope = self.plan, platform.scope
        services: dict[str, list[pulumi.Resource]] = {}
        presets = Presets(plan.presets, scope, platform.kinds_ready).ready if plan.presets else []
        for model in plan.models:
            if model.inference_service is None:
                continue
            signed = _signed(certificates, model.certificate)
            service = InferenceService(
                model.inference_service,
                model,
                RouterRefs(gateway=plan.gateway.name, routes=plan.early_routes_to(model.pool.name)),
                scope,
                [*infrastructure.nodes, *platform.kinds_ready, *signed, *presets, *guards],
            )
            services[model.pool.name] = [service.service]
            self._workloads |= dict.fromkeys((server.name for server in model.servers), service.service)
        return services

    def _autoscaling(self, platform: _Platform) -> None:
        """Create the autoscalers of the model servers whose replicas follow the load."""
        servers = [server for model in self.plan.models for server in model.servers if server.scaling is not None]
        if not servers:
            return
        installed = any(chart.name == KEDA and not chart.existing for chart in self.plan.charts)
        Autoscaling(
            servers,
            (KEDA_NAMESPACE, KEDA_OPERATOR) if installed else None,
            self._workloads,
            platform.scope,
            [*platform.scope.ready, *platform.kinds_ready],
        )


def _signed(certificates: _Certificates, plan: CertificatePlan | None) -> list[pulumi.Resource]:
    """The Secret's certificate resource, if the plan has one."""
    return [] if plan is None else [certificates[plan.name]]


def _backends(route: RoutePlan, pools: Mapping[str, Sequence[pulumi.Resource]]) -> list[pulumi.Resource]:
    return [resource for rule in route.rules for pool, _ in rule.pools for resource in pools.get(pool, ())]
