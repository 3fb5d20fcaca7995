"""From settings and catalog to a plan, or to every finding that forbids it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.planning.acknowledgements import acknowledge, mark_acknowledged
from llm_d_gke.planning.context import Findings, PlanContext, resolve_context
from llm_d_gke.planning.disaggregation.capacity import plan_capacity_of
from llm_d_gke.planning.disaggregation.checks import check_stages
from llm_d_gke.planning.disaggregation.roles import pool_in_role, role_of
from llm_d_gke.planning.findings import Finding, RefusedError, Severity, errors_in, path_of
from llm_d_gke.planning.infrastructure.cluster import plan_cluster, plan_crds, plan_services
from llm_d_gke.planning.infrastructure.namespace import plan_hugging_face, plan_namespace, plan_pull_secret
from llm_d_gke.planning.infrastructure.namespace_bounds import bounded
from llm_d_gke.planning.infrastructure.network import plan_network
from llm_d_gke.planning.infrastructure.node_pools import plan_accelerator_pools, plan_cpu_pool
from llm_d_gke.planning.infrastructure.pod_guard import plan_pod_guard
from llm_d_gke.planning.machine_fixes import with_machine_of_count, with_type_of_machine
from llm_d_gke.planning.names import model_keys
from llm_d_gke.planning.other_mistakes import other_mistakes
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.plan.platform import HuggingFacePlan, PullSecretPlan
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.planning.platform.chart_namespaces import plan_chart_namespaces, plan_chart_policies
from llm_d_gke.planning.platform.engine_images import check_engine_images
from llm_d_gke.planning.platform.helm_releases import plan_charts
from llm_d_gke.planning.platform.image_kinds import check_image_kinds
from llm_d_gke.planning.platform.image_sources import with_image_sources
from llm_d_gke.planning.platform.images import check_image, check_proven, check_release
from llm_d_gke.planning.platform.monitoring import plan_monitoring
from llm_d_gke.planning.request_names import check_names
from llm_d_gke.planning.routing.endpoint_picker import check_picker, plan_picker, plan_pool
from llm_d_gke.planning.routing.gateway import plan_gateway, plan_routes
from llm_d_gke.planning.routing.model_router import plan_router
from llm_d_gke.planning.routing.models_endpoint import plan_models_endpoint
from llm_d_gke.planning.routing.network_policies import plan_network_policies
from llm_d_gke.planning.routing.traffic_splits import plan_splits
from llm_d_gke.planning.rules import RULES
from llm_d_gke.planning.serving.autoscaling import check_autoscaling, fully_scaled, plan_scaling
from llm_d_gke.planning.serving.backend_tls import check_backend_tls, plan_server_certificate
from llm_d_gke.planning.serving.backends import backend_of
from llm_d_gke.planning.serving.custom_models import with_own_models
from llm_d_gke.planning.serving.engine_variables import check_variables
from llm_d_gke.planning.serving.extra_args import check_extra_args, check_remote_code
from llm_d_gke.planning.serving.lora_adapters import other_names
from llm_d_gke.planning.serving.model_server import commit_of, node_gib, plan_model_server
from llm_d_gke.planning.serving.resources import busy_nodes, check_capacity
from llm_d_gke.planning.setting_findings import from_validation, quoted
from llm_d_gke.planning.sizing.cost import plan_cost
from llm_d_gke.planning.sizing.timeline import plan_timeline
from llm_d_gke.planning.valid_parts import inside_respelt, valid_parts
from llm_d_gke.planning.without_effect import check_project_placeholder, check_without_effect
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile.model_files import ModelFile

# Top-level keys of a stack file, none of which is checked for plain secrets.
_ANY_KEY = frozenset(field.alias or name for name, field in StackSettings.model_fields.items())


def plan_stack(stack: str, settings: StackSettings | Mapping[str, Any], catalog: Catalog | None = None) -> StackPlan:
    """Check settings that a program holds, and plan the stack that they describe.

    `stack` is in the names of everything that is created. `settings` are typed, or a mapping with the keys of a stack
    file, without their `llm-d:`. Whether secrets were encrypted is not checked, since they come from no file. Raises
    `RefusedError` with every finding; those that refuse nothing are in the plan's `warnings`.
    """
    if isinstance(settings, StackSettings):
        return plan(stack, settings, catalog or load_catalog(), _ANY_KEY)
    return plan_raw(stack, settings, _ANY_KEY, catalog)


def plan_raw(
    stack: str,
    values: Mapping[str, Any],
    encrypted: frozenset[str] = frozenset(),
    catalog: Catalog | None = None,
    files: Mapping[str, ModelFile] = MappingProxyType({}),
) -> StackPlan:
    """Check configuration as given and plan it.

    `encrypted` names the top-level keys that came encrypted; `files` are configurations of models that the stack file
    asked to read, by model. Raises `RefusedError` with every finding: of the settings
    themselves, and of the plan as far as the rest of the settings still makes one.
    """
    full_catalog = catalog or load_catalog()
    try:
        settings = StackSettings.model_validate(values, by_alias=True, by_name=False)
    except ValidationError as error:
        findings = [
            with_machine_of_count(with_type_of_machine(finding, values, full_catalog), values, full_catalog)
            for finding in from_validation(error, encrypted)
        ]
        findings += inside_respelt(values, error, encrypted)
        further = _further(stack, values, error, encrypted, full_catalog, files, findings)
        raise RefusedError([*findings, *further]) from None
    return plan(stack, settings, full_catalog, encrypted, files, quoted(values))


def plan(
    stack: str,
    settings: StackSettings,
    catalog: Catalog,
    encrypted: frozenset[str] = frozenset(),
    files: Mapping[str, ModelFile] = MappingProxyType({}),
    earlier: Sequence[Finding] = (),
) -> StackPlan:
    """The plan of one stack. Raises `RefusedError` when anything in it could not work.

    `earlier` are warnings about the settings as they were written.
    """
    findings = Findings(earlier)
    full_catalog = with_own_models(catalog, settings, files, findings)
    result = plan_with_findings(stack, settings, full_catalog, encrypted, findings)
    acknowledge(settings, findings)
    if result is not None:
        result = replace(
            result, warnings=tuple(finding for finding in findings if finding.severity is Severity.WARNING)
        )
    if errors_in(findings) or result is None:
        raise RefusedError(findings)
    return result


def plan_with_findings(
    stack: str, settings: StackSettings, catalog: Catalog, encrypted: frozenset[str], findings: Findings
) -> StackPlan | None:
    """The plan, with its findings collected in `findings`. None if too little is known for a plan."""
    result = plan_once(stack, settings, catalog, encrypted, findings)
    if result is None:
        further = other_mistakes(
            settings,
            catalog,
            findings,
            lambda changed, collected: plan_once(stack, changed, catalog, encrypted, collected),
        )
        findings.extend(further)
    return result


def plan_once(
    stack: str,
    settings: StackSettings,
    catalog: Catalog,
    encrypted: frozenset[str],
    findings: Findings,
    *,
    throughput: bool = True,
) -> StackPlan | None:
    """`plan_with_findings` without a search for further mistakes where no plan can be made.

    Without `throughput` the models' capacity is left out: a third of the time, and no resource depends on it.
    """
    _check_project(settings, findings)
    check_project_placeholder(settings, findings)
    check_names(settings, findings)
    check_autoscaling(settings, findings)
    settings = fully_scaled(settings)
    pattern = pattern_of(settings)
    pattern.check_settings(settings, findings)
    ctx = resolve_context(stack, settings, catalog, findings, transfers_kv_cache=pattern.transfers_kv_cache)
    sites = pattern.sites(ctx) if ctx is not None else None
    if sites is None:
        return None
    # Everything outside the model servers follows from the site where requests arrive.
    ctx, settings = sites[0], sites[0].settings
    network = plan_network(ctx)
    cpu_pool = plan_cpu_pool(ctx)
    pools = [(site, _accelerator_pools(site)) for site in sites]
    check_stages(sites)
    check_picker(ctx)
    namespace = plan_namespace(ctx)
    hugging_face = plan_hugging_face(ctx, encrypted)
    pull_secret = plan_pull_secret(ctx, encrypted)
    check_release(ctx)
    check_proven(ctx)
    check_engine_images(ctx)
    check_image_kinds(ctx)
    check_backend_tls(ctx)
    backend = backend_of(settings)
    models: list[ModelPlan] = []
    for index, (model, key) in enumerate(zip(settings.models, model_keys(settings), strict=True)):
        servers = tuple(_server(site, index, key, own, hugging_face, pull_secret) for site, own in pools)
        check_image(ctx, index, servers[0].pod.image, pull_secret)
        check_variables(ctx, index, servers)
        pool = plan_pool(ctx, model, key)
        backend.check_model(ctx, index, model, key)
        for site, server in zip(sites, servers, strict=True):
            backend.check_server(site, site.settings.models[index], server)
        models.append(
            ModelPlan(
                key=key,
                id=model.id,
                served_name=model.name,
                other_names=other_names(model),
                pool=pool,
                picker=plan_picker(ctx, index, model, key, namespace.name, pull_secret, servers[0].memory),
                servers=servers,
                certificate=plan_server_certificate(ctx, key, pool.tls),
                capacity=plan_capacity_of(sites, index, [server.memory for server in servers]) if throughput else None,
                inference_service=backend.inference_service(ctx, model, key),
            )
        )
    gateway = plan_gateway(ctx, network, encrypted)
    charts = plan_charts(
        ctx,
        gateway=(namespace.name, gateway.name),
        groups=any(server.group is not None for model in models for server in model.servers),
        kserve=backend.needs_kserve,
        istio=gateway.implementation == "istio",
        certificates=any(
            certificate_plan is not None
            for certificate_plan in (gateway.certificate, *(model.certificate for model in models))
        ),
        pull_secret=pull_secret,
        scales=any(model.autoscaling is not None for site in sites for model in site.settings.models),
    )
    served = tuple(models)
    splits = plan_splits(ctx, served)
    models_endpoint = plan_models_endpoint(ctx, served, splits, pull_secret)
    routes = plan_routes(ctx, served, models_endpoint, splits)
    router = plan_router(ctx, served, splits, gateway, pull_secret)
    check_without_effect(ctx, has_router=router is not None)
    cluster = plan_cluster(ctx)
    chart_namespaces = plan_chart_namespaces(charts)
    served = _scaled(sites, served, cluster.name)
    named = StackPlan(
        stack=stack,
        project=settings.project,
        location=settings.location,
        region=ctx.region,
        release=settings.release,
        pattern=settings.pattern,
        services=plan_services(ctx),
        network=network,
        cluster=cluster,
        cpu_pool=cpu_pool,
        accelerator_pools=tuple(pool for _, own in pools for pool in own),
        crds=plan_crds(ctx),
        charts=charts,
        chart_namespaces=chart_namespaces,
        chart_policies=plan_chart_policies(chart_namespaces, enabled=settings.network_policies.enabled),
        presets=backend.presets([server for model in served for server in model.servers]),
        namespace=bounded(
            namespace,
            pools,
            served,
            (router.replicas if router is not None else 0)
            + (models_endpoint.replicas if models_endpoint is not None else 0),
        ),
        pod_guard=plan_pod_guard(namespace, [server for model in served for server in model.servers]),
        hugging_face=hugging_face,
        pull_secret=pull_secret,
        gateway=gateway,
        routes=routes,
        router=router,
        models_endpoint=models_endpoint,
        models=served,
        network_policies=plan_network_policies(ctx, network, gateway, served, router, models_endpoint),
        monitoring=plan_monitoring(
            ctx,
            cluster.name,
            namespace.name,
            tuple(model.pool.name for model in served),
            tuple(model.pool.name for model in served if model.servers[0].wakes),
        ),
        cost=plan_cost(
            ctx,
            cpu_pool,
            [busy for site, own in pools for busy in busy_nodes(site, own)],
            [model.capacity for model in served],
            sum(model.picker.replicas for model in served),
            [busy for site, own in pools for busy in busy_nodes(site, own, scaled_down=True)]
            if any(server.scaling is not None for model in served for server in model.servers)
            else None,
        ),
        timeline=plan_timeline(ctx),
        paused=settings.paused,
        labels=ctx.labels,
        warnings=(),
    )
    named = with_image_sources(ctx, named)
    # Findings of the names of images come last.
    return replace(named, warnings=tuple(finding for finding in findings if finding.severity is Severity.WARNING))


def _accelerator_pools(ctx: PlanContext) -> tuple[NodePoolPlan, ...]:
    """Node pools of one site."""
    pools = plan_accelerator_pools(ctx, max(map(functools.partial(node_gib, ctx), ctx.settings.models)))
    check_capacity(ctx)
    return tuple(pool_in_role(ctx, pool) for pool in pools)


def _server(
    ctx: PlanContext,
    index: int,
    key: str,
    pools: Sequence[NodePoolPlan],
    hugging_face: HuggingFacePlan,
    pull_secret: PullSecretPlan | None,
) -> ModelServerPlan:
    """One model's servers of one site."""
    model = ctx.settings.models[index]
    catalog_model = ctx.catalog.find_model(model.id)
    role = role_of(ctx, catalog_model)
    server = plan_model_server(ctx, index, model, key, pools[0].disk_gib, hugging_face, pull_secret, role)
    if ctx.role != "prefill":
        check_extra_args(ctx.findings, index, model, server.pod.args)
        check_remote_code(ctx.findings, index, model.extra_args, commit_of(model, catalog_model))
    return server


def _scaled(sites: Sequence[PlanContext], models: Sequence[ModelPlan], cluster: str) -> tuple[ModelPlan, ...]:
    """The models with what changes the number of their replicas. `cluster` is its name in metrics."""
    return tuple(
        replace(
            model,
            servers=tuple(
                replace(
                    server, scaling=plan_scaling(site, site.settings.models[index], server, cluster, model.picker.name)
                )
                for site, server in zip(sites, model.servers, strict=True)
            ),
        )
        for index, model in enumerate(models)
    )


def _check_project(settings: StackSettings, findings: Findings) -> None:
    if not settings.project:
        findings.error(
            "LLMD-PROJECT-MISSING",
            "project",
            value="(missing)",
            rule="every resource belongs to a Google Cloud project, and none is set",
            fix="run: pulumi config set llm-d:project my-project-id",
        )


def _further(
    stack: str,
    values: Mapping[str, Any],
    error: ValidationError,
    encrypted: frozenset[str],
    catalog: Catalog,
    files: Mapping[str, ModelFile],
    reported: Sequence[Finding],
) -> list[Finding]:
    """Findings of the plan that the settings make without their wrong parts, so that one report tells everything."""
    valid = valid_parts(values, error)
    if valid is None:
        return []

    def judged(settings: StackSettings) -> Findings:
        collected = Findings()
        plan_with_findings(stack, settings, with_own_models(catalog, settings, files, collected), encrypted, collected)
        mark_acknowledged(settings, collected)
        return collected

    findings = judged(valid.settings)
    # With another kind of an unread group the same finding means that it does not follow from the default.
    others = [{(f.id, f.path) for f in judged(settings)} for settings in valid.alternatives] if findings else []
    # Values at, above or below a wrong value were judged without it: that would be a second report of one mistake.
    # So would be what a wrong list of acknowledgements may acknowledge.
    unread = any(other.path.startswith(path_of("acknowledge")) for other in reported)
    places = {*(other.path for other in reported), *(path_of(*path) for path in valid.left_out)}
    return [
        f
        for f in findings
        if not any(_related(f.path, place) for place in places)
        and all((f.id, f.path) in other for other in others)
        and not (unread and f.severity is Severity.ERROR and RULES[f.id].acknowledgeable)
    ]


def _related(first: str, other: str) -> bool:
    return first.startswith(other) or other.startswith(first)
