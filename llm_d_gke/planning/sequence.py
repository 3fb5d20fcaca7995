"""The sequence in which one stack is planned: settings, site, foundation, models, Gateway, routing, the whole.

Each step plans one part and reports what is wrong with it. The order of the steps is the order of the findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llm_d_gke.catalog import Catalog
from llm_d_gke.planning.context import PlanContext, resolve_context
from llm_d_gke.planning.disaggregation.capacity import plan_capacity_of
from llm_d_gke.planning.disaggregation.checks import check_stages
from llm_d_gke.planning.disaggregation.roles import pool_in_role, role_of
from llm_d_gke.planning.findings import Findings, Severity
from llm_d_gke.planning.infrastructure.cluster import plan_cluster, plan_crds, plan_services
from llm_d_gke.planning.infrastructure.namespace import bounded, plan_hugging_face, plan_namespace, plan_pull_secret
from llm_d_gke.planning.infrastructure.network import plan_network
from llm_d_gke.planning.infrastructure.node_pools import plan_accelerator_pools, plan_cpu_pool
from llm_d_gke.planning.infrastructure.pod_guard import plan_pod_guard
from llm_d_gke.planning.infrastructure.rollout_policy import plan_rollout_policy
from llm_d_gke.planning.names import model_keys
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.estimates import CostPlan
from llm_d_gke.planning.plan.infrastructure import NetworkPlan, NodePoolPlan
from llm_d_gke.planning.plan.platform import ChartPlan, HuggingFacePlan, MonitoringPlan, NamespacePlan, PullSecretPlan
from llm_d_gke.planning.plan.routing import GatewayPlan, ModelsEndpointPlan, RoutePlan, RouterPlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.planning.platform.chart_namespaces import plan_chart_namespaces, plan_chart_policies
from llm_d_gke.planning.platform.engine_images import check_engine_images, check_image_kinds, check_image_versions
from llm_d_gke.planning.platform.helm_releases import ChartNeeds, plan_charts
from llm_d_gke.planning.platform.image_sources import with_image_sources
from llm_d_gke.planning.platform.images import check_image, check_proven, check_release
from llm_d_gke.planning.platform.monitoring import check_limits, plan_monitoring
from llm_d_gke.planning.routing.endpoint_picker import check_picker, plan_picker, plan_pool
from llm_d_gke.planning.routing.gateway import plan_gateway, plan_routes
from llm_d_gke.planning.routing.model_router import plan_router
from llm_d_gke.planning.routing.models_endpoint import plan_models_endpoint
from llm_d_gke.planning.routing.network_policies import plan_network_policies
from llm_d_gke.planning.routing.request_names import check_names, plan_request_names
from llm_d_gke.planning.served_model import ServedModel, served_model
from llm_d_gke.planning.serving.autoscaling import check_autoscaling, fully_scaled, plan_scaling
from llm_d_gke.planning.serving.backend_tls import check_backend_tls, plan_server_certificate
from llm_d_gke.planning.serving.backends import backend_of
from llm_d_gke.planning.serving.engine_variables import check_variables
from llm_d_gke.planning.serving.extra_args import check_extra_args, check_remote_code
from llm_d_gke.planning.serving.idle_accelerators import check_idle
from llm_d_gke.planning.serving.lora_adapters import other_names
from llm_d_gke.planning.serving.model_server import node_gib, plan_model_server
from llm_d_gke.planning.serving.resources import busy_nodes, check_capacity, with_derived_nodes
from llm_d_gke.planning.sizing.cost import plan_cost
from llm_d_gke.planning.sizing.timeline import plan_timeline
from llm_d_gke.planning.without_effect import check_base, check_project_placeholder, check_without_effect
from llm_d_gke.settings import StackSettings


@dataclass(frozen=True, kw_only=True)
class _Foundation:
    """The infrastructure of the model servers. `pools` are those of each site; requests arrive at the first site.

    `stages` are each model in every site.
    """

    pools: tuple[tuple[PlanContext, tuple[NodePoolPlan, ...]], ...]
    stages: tuple[tuple[ServedModel, ...], ...]
    network: NetworkPlan
    cpu_pool: NodePoolPlan
    namespace: NamespacePlan
    hugging_face: HuggingFacePlan
    pull_secret: PullSecretPlan | None

    @property
    def ctx(self) -> PlanContext:
        """The site from which everything outside the model servers follows."""
        return self.pools[0][0]

    @property
    def sites(self) -> tuple[PlanContext, ...]:
        return tuple(site for site, _ in self.pools)


@dataclass(frozen=True, kw_only=True)
class _Routing:
    """The path of a request from the Gateway to a pool. Only several models have a router and a models endpoint."""

    routes: tuple[RoutePlan, ...]
    router: RouterPlan | None
    models_endpoint: ModelsEndpointPlan | None

    @property
    def pods(self) -> int:
        """Pods that serve no single model."""
        return sum(part.replicas for part in (self.router, self.models_endpoint) if part is not None)


def plan_once(
    stack: str,
    settings: StackSettings,
    catalog: Catalog,
    encrypted: frozenset[str],
    findings: Findings,
    *,
    throughput: bool = True,
) -> StackPlan | None:
    """The plan, with its findings collected in `findings`. None if too little is known for a plan.

    `encrypted` names the settings that came encrypted. Without `throughput` the models' capacity is left out: a third
    of the time, and no resource depends on it.
    """
    sites = _resolve_sites(stack, settings, catalog, findings)
    if sites is None:
        return None
    foundation = _plan_foundation(sites, encrypted)
    _check_site(foundation.ctx)
    models = tuple(
        _plan_model(foundation, index, key, throughput=throughput)
        for index, key in enumerate(model_keys(foundation.ctx.settings))
    )
    gateway = plan_gateway(foundation.ctx, foundation.network, encrypted)
    charts = _plan_charts(foundation, models, gateway)
    routing = _plan_routing(foundation, models, gateway)
    plan = _plan_whole(foundation, models, gateway, charts, routing)
    plan = with_image_sources(foundation.ctx, plan)
    return replace(plan, warnings=tuple(finding for finding in findings if finding.severity is Severity.WARNING))


def _resolve_sites(
    stack: str, settings: StackSettings, catalog: Catalog, findings: Findings
) -> tuple[PlanContext, ...] | None:
    """Check what needs no catalog, then resolve a context for each kind of model server. None if one is unknown."""
    _check_project(settings, findings)
    check_project_placeholder(settings, findings)
    check_base(settings, findings)
    check_names(settings, findings)
    check_autoscaling(settings, findings)
    settings = fully_scaled(settings)
    pattern = pattern_of(settings)
    pattern.check_settings(settings, findings)
    ctx = resolve_context(stack, settings, catalog, findings, transfers_kv_cache=pattern.transfers_kv_cache)
    sites = pattern.sites(ctx) if ctx is not None else None
    return None if sites is None else tuple(with_derived_nodes(site) for site in sites)


def _plan_foundation(sites: Sequence[PlanContext], encrypted: frozenset[str]) -> _Foundation:
    """Network, nodes, namespace and credentials."""
    ctx = sites[0]
    network = plan_network(ctx)
    cpu_pool = plan_cpu_pool(ctx)
    by_site = [[served_model(site, index) for index in range(len(site.settings.models))] for site in sites]
    pools = tuple((site, _plan_accelerator_pools(site, models)) for site, models in zip(sites, by_site, strict=True))
    check_stages(sites)
    check_picker(ctx)
    return _Foundation(
        pools=pools,
        stages=tuple(zip(*by_site, strict=True)),
        network=network,
        cpu_pool=cpu_pool,
        namespace=plan_namespace(ctx),
        hugging_face=plan_hugging_face(ctx, encrypted),
        pull_secret=plan_pull_secret(ctx, encrypted),
    )


def _plan_accelerator_pools(ctx: PlanContext, models: Sequence[ServedModel]) -> tuple[NodePoolPlan, ...]:
    """Node pools of one site."""
    pools = plan_accelerator_pools(ctx, node_gib(models))
    check_capacity(ctx)
    check_idle(ctx)
    return tuple(pool_in_role(ctx, pool) for pool in pools)


def _check_site(ctx: PlanContext) -> None:
    """Check release, images and encryption, which are the same for all models."""
    check_release(ctx)
    check_proven(ctx)
    check_engine_images(ctx)
    check_image_kinds(ctx)
    check_image_versions(ctx)
    check_backend_tls(ctx)


def _plan_model(foundation: _Foundation, index: int, key: str, *, throughput: bool) -> ModelPlan:
    """One model: servers, pool, picker, certificate and capacity."""
    ctx, pull_secret = foundation.ctx, foundation.pull_secret
    stages = foundation.stages[index]
    served, model = stages[0], stages[0].settings
    backend = backend_of(ctx.settings)
    servers = tuple(
        _plan_server(foundation, stage, pools, key) for stage, (_, pools) in zip(stages, foundation.pools, strict=True)
    )
    memory = [server.memory for server in servers]
    check_image(ctx, index, servers[0].pod.image, pull_secret)
    check_variables(served, servers)
    pool = plan_pool(served, key)
    backend.check_model(served, key)
    for stage, server in zip(stages, servers, strict=True):
        backend.check_server(stage, server)
    return ModelPlan(
        key=key,
        id=model.id,
        served_name=model.name,
        other_names=other_names(model),
        pool=pool,
        picker=plan_picker(served, key, foundation.namespace.name, pull_secret, memory[0]),
        servers=servers,
        certificate=plan_server_certificate(ctx, key, pool.tls),
        capacity=plan_capacity_of(stages, memory) if throughput else None,
        inference_service=backend.inference_service(served, key),
    )


def _plan_server(
    foundation: _Foundation, served: ServedModel, pools: Sequence[NodePoolPlan], key: str
) -> ModelServerPlan:
    """One model's servers in one site, whose node pools are `pools`."""
    server = plan_model_server(
        served, key, pools[0].disk_gib, foundation.hugging_face, foundation.pull_secret, role_of(served)
    )
    if served.ctx.role != "prefill":
        check_extra_args(served, server.pod.args)
        check_remote_code(served)
    return server


def _plan_charts(foundation: _Foundation, models: Sequence[ModelPlan], gateway: GatewayPlan) -> tuple[ChartPlan, ...]:
    """The controllers that Gateway and model servers need, and GKE does not bring."""
    ctx, certificates = foundation.ctx, (gateway.certificate, *(model.certificate for model in models))
    needs = ChartNeeds(
        groups=any(server.group is not None for model in models for server in model.servers),
        kserve=backend_of(ctx.settings).needs_kserve,
        istio=gateway.implementation == "istio",
        certificates=any(certificate is not None for certificate in certificates),
        scales=any(model.autoscaling is not None for site in foundation.sites for model in site.settings.models),
    )
    place = (foundation.namespace.name, gateway.name)
    return plan_charts(ctx, needs, gateway=place, pull_secret=foundation.pull_secret)


def _plan_routing(foundation: _Foundation, models: tuple[ModelPlan, ...], gateway: GatewayPlan) -> _Routing:
    """Routes, and what finds the model of a request where several share the Gateway."""
    ctx, pull_secret = foundation.ctx, foundation.pull_secret
    names = plan_request_names(ctx, models)
    models_endpoint = plan_models_endpoint(ctx, names, pull_secret)
    routes = plan_routes(ctx, models, names, models_endpoint)
    router = plan_router(ctx, names, gateway, pull_secret)
    check_without_effect(ctx, has_router=router is not None)
    return _Routing(routes=routes, router=router, models_endpoint=models_endpoint)


def _plan_whole(
    foundation: _Foundation,
    models: tuple[ModelPlan, ...],
    gateway: GatewayPlan,
    charts: tuple[ChartPlan, ...],
    routing: _Routing,
) -> StackPlan:
    """The whole stack, with the parts that need all others: scaling, policies, monitoring, cost, timeline."""
    ctx, network = foundation.ctx, foundation.network
    settings = ctx.settings
    cluster = plan_cluster(ctx)
    chart_namespaces = plan_chart_namespaces(charts)
    if ctx.namespace in {namespace.name for namespace in chart_namespaces}:
        ctx.error("LLMD-NAMESPACE-SYSTEM", "namespace.name", case="controllers")
    models = _with_scaling(foundation.stages, models, cluster.name)
    servers = [server for model in models for server in model.servers]
    return StackPlan(
        stack=ctx.stack,
        project=settings.project,
        location=settings.location,
        region=ctx.region,
        release=settings.release,
        pattern=settings.pattern,
        services=plan_services(ctx),
        network=network,
        cluster=cluster,
        cpu_pool=foundation.cpu_pool,
        accelerator_pools=tuple(pool for _, pools in foundation.pools for pool in pools),
        crds=plan_crds(ctx),
        charts=charts,
        chart_namespaces=chart_namespaces,
        chart_policies=plan_chart_policies(chart_namespaces, enabled=settings.network_policies.enabled),
        presets=backend_of(settings).presets(servers),
        namespace=bounded(foundation.namespace, foundation.pools, models, routing.pods),
        pod_guard=plan_pod_guard(foundation.namespace, servers),
        rollout_policy=plan_rollout_policy(foundation.namespace, models, settings.cluster.gke_version),
        hugging_face=foundation.hugging_face,
        pull_secret=foundation.pull_secret,
        gateway=gateway,
        routes=routing.routes,
        router=routing.router,
        models_endpoint=routing.models_endpoint,
        models=models,
        network_policies=plan_network_policies(ctx, network, gateway, models, routing.router, routing.models_endpoint),
        monitoring=_plan_monitoring(foundation, models, cluster.name),
        cost=_plan_cost(foundation, models),
        timeline=plan_timeline(ctx),
        paused=settings.paused,
        labels=ctx.labels,
        warnings=(),
    )


def _with_scaling(
    stages: Sequence[Sequence[ServedModel]], models: Sequence[ModelPlan], cluster: str
) -> tuple[ModelPlan, ...]:
    """The models with their scaling plans. `cluster` is the cluster's name in metrics."""
    return tuple(
        replace(
            model,
            servers=tuple(
                replace(server, scaling=plan_scaling(served, server, cluster, model.picker.name))
                for served, server in zip(sites, model.servers, strict=True)
            ),
        )
        for sites, model in zip(stages, models, strict=True)
    )


def _plan_monitoring(foundation: _Foundation, models: Sequence[ModelPlan], cluster: str) -> MonitoringPlan:
    capacities = [model.capacity for model in models]
    check_limits(foundation.ctx, [capacity.alone for capacity in capacities if capacity] if all(capacities) else ())
    return plan_monitoring(
        foundation.ctx,
        cluster,
        foundation.namespace.name,
        tuple(model.pool.name for model in models),
        tuple(model.pool.name for model in models if model.servers[0].wakes),
    )


def _plan_cost(foundation: _Foundation, models: Sequence[ModelPlan]) -> CostPlan:
    """Dollars of all nodes and pods, and of the fewest, which run without a request."""

    def busy(*, scaled_down: bool = False) -> list[tuple[NodePoolPlan, int]]:
        return [node for site, pools in foundation.pools for node in busy_nodes(site, pools, scaled_down=scaled_down)]

    return plan_cost(
        foundation.ctx,
        foundation.cpu_pool,
        busy(),
        [model.capacity for model in models],
        sum(model.picker.replicas for model in models),
        busy(scaled_down=True),
        follows_load=any(server.scaling is not None for model in models for server in model.servers),
    )


def _check_project(settings: StackSettings, findings: Findings) -> None:
    if not settings.project:
        findings.error("LLMD-PROJECT-MISSING", "project", value="(missing)")
