"""The InferencePool of one model, and the policies that the Gateway's implementation needs."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.custom_resources.base import PolicyTarget, Spec, custom_resource
from llm_d_gke.components.custom_resources.fleet import (
    EXPORTED_METRIC,
    IMPORT_GROUP,
    IMPORT_KIND,
    AutoscalingMetricSpec,
    ContainerMetrics,
    CustomMetric,
    Endpoint,
    ExportedMetric,
    FleetBackendDefault,
    FleetBackendPolicySpec,
    Gauge,
    MetricSource,
    PodAutoscalingMetricSpec,
    PodMetric,
    PodMetrics,
)
from llm_d_gke.components.custom_resources.gke_policies import GcpBackendPolicySpec, HttpCheck, health_check
from llm_d_gke.components.custom_resources.inference_objective import InferenceObjectiveSpec, PoolRef
from llm_d_gke.components.custom_resources.inference_pool import (
    GROUP,
    EndpointPickerRef,
    InferencePoolSpec,
    Port,
    Selector,
)
from llm_d_gke.components.custom_resources.istio import ClientTls, DestinationRuleSpec, TrafficPolicy
from llm_d_gke.components.instance import Component
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import child
from llm_d_gke.components.routing.edge import backend_default
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.google_types import EXPORT_ANNOTATION
from llm_d_gke.planning.plan.routing import BackendTlsPlan, FleetPlan, ObjectivePlan, PoolPlan

_CACHE_USE = "vllm:kv_cache_usage_perc"


class InferencePool(Component):
    """InferencePool with the policies that the Gateway's implementation needs."""

    pool: kubernetes.apiextensions.CustomResource

    def __init__(self, plan: PoolPlan, scope: ClusterScope, depends_on: Sequence[pulumi.Resource]) -> None:
        super().__init__("llm-d:inference:InferencePool", plan.name, scope.opts)
        self.pool = custom_resource(
            plan.name,
            pool_spec(plan),
            metadata=metadata(
                plan.name,
                scope.namespace,
                annotations={EXPORT_ANNOTATION: "True"} if plan.fleet is not None and plan.fleet.exported else None,
            ),
            opts=child(self, depends_on=depends_on),
        )
        if plan.fleet is not None:
            exported_metric(self, plan, plan.fleet, scope.namespace)
        pool_policies(self, plan, scope.namespace, [self.pool])
        self.register_outputs({})


def pool_spec(plan: PoolPlan) -> InferencePoolSpec:
    """Spec of the InferencePool, for a pool of this program and for one that KServe creates."""
    return InferencePoolSpec(
        selector=Selector(match_labels=dict(plan.selector)),
        target_ports=[Port(number=port) for port in plan.target_ports],
        endpoint_picker_ref=EndpointPickerRef(
            name=plan.picker_service, port=Port(number=plan.picker_port), failure_mode=plan.failure_mode
        ),
    )


def pool_policies(
    parent: pulumi.Resource, plan: PoolPlan, namespace: str, depends_on: Sequence[pulumi.Resource]
) -> list[pulumi.Resource]:
    """Policies of a pool. They refer to it by name, and may exist before it.

    GKE: without the health check the load balancer requests `/`, which vLLM does not serve, and finds no healthy
    upstream. Without the backend policy it ends each response after 30 seconds. Istio: the picker has a self-signed
    certificate and accepts only TLS; HTTPS of model servers is configured for the Service that Istio derives from the
    pool.
    """
    options = child(parent, depends_on=depends_on)
    objectives = [_objective(objective, namespace, options) for objective in plan.objectives]
    if plan.implementation == "istio":
        # Pickers create a self-signed certificate when they start.
        picker = (plan.picker_service, f"{plan.picker_service}.{namespace}.svc.cluster.local")
        rules = [_tls_rule(f"{plan.name}-picker", picker, ClientTls(insecure_skip_verify=True), namespace, options)]
        if plan.tls is not None:
            servers = (plan.tls.service, plan.tls.host)
            rules.append(_tls_rule(f"{plan.name}-servers", servers, _to_servers(plan.tls), namespace, options))
        return [*rules, *objectives]
    if plan.fleet is not None and not plan.fleet.config:
        # The config cluster's policies are for the pools of all clusters.
        return objectives
    target = PolicyTarget(group=GROUP, kind="InferencePool", name=plan.name)
    if plan.fleet is not None:
        target = PolicyTarget(group=IMPORT_GROUP, kind=IMPORT_KIND, name=plan.name)
    check = HttpCheck(port=plan.health_port, request_path=plan.health_path)
    policies: dict[str, Spec] = {
        "health": health_check(target, plan.health_interval, http=check),
        "backend": _backend_policy(plan, target),
    }
    return [
        *(
            custom_resource(f"{plan.name}-{name}", spec, metadata=metadata(plan.name, namespace), opts=options)
            for name, spec in policies.items()
        ),
        *objectives,
    ]


def _objective(plan: ObjectivePlan, namespace: str, opts: pulumi.ResourceOptions) -> pulumi.Resource:
    return custom_resource(
        f"{plan.name}-objective",
        InferenceObjectiveSpec(pool_ref=PoolRef(name=plan.pool), priority=plan.priority),
        metadata=metadata(plan.name, namespace),
        opts=opts,
    )


def _backend_policy(plan: PoolPlan, target: PolicyTarget) -> GcpBackendPolicySpec | FleetBackendPolicySpec:
    default = backend_default(plan.access, plan.timeout_seconds, plan.draining_seconds)
    if plan.fleet is None:
        return GcpBackendPolicySpec(target_ref=target, default=default)
    metric = CustomMetric(
        name=f"gke.named_metrics.{EXPORTED_METRIC}", max_utilization_percent=plan.fleet.max_utilization_percent
    )
    return FleetBackendPolicySpec(
        target_ref=target,
        default=FleetBackendDefault.model_validate({**default.model_dump(), "custom_metrics": [metric]}),
    )


def exported_metric(parent: pulumi.Resource, plan: PoolPlan, fleet: FleetPlan, namespace: str) -> pulumi.Resource:
    """Export the servers' use of the KV cache, by which the load balancer chooses among clusters."""
    selector = Selector(match_labels=dict(plan.metric_selector or plan.selector))
    endpoints = [Endpoint(port=port, path="/metrics") for port in plan.target_ports]
    spec: AutoscalingMetricSpec | PodAutoscalingMetricSpec
    if fleet.metrics_by_pod:
        metric = PodMetric(gauge=Gauge(name=EXPORTED_METRIC, prometheus_metric_name=_CACHE_USE))
        containers = [ContainerMetrics(endpoint=endpoint, metrics=[metric]) for endpoint in endpoints]
        spec = PodAutoscalingMetricSpec(
            metrics=[MetricSource(pod=PodMetrics(selector=selector, containers=containers))]
        )
    else:
        exported = ExportedMetric(name=_CACHE_USE, export_name=EXPORTED_METRIC)
        spec = AutoscalingMetricSpec(selector=selector, endpoints=endpoints, metrics=[exported])
    return custom_resource(f"{plan.name}-metric", spec, metadata=metadata(plan.name, namespace), opts=child(parent))


def _to_servers(plan: BackendTlsPlan) -> ClientTls:
    if plan.authority is None:
        return ClientTls(insecure_skip_verify=True)
    return ClientTls(credential_name=plan.authority, sni=plan.host, subject_alt_names=[plan.host])


def _tls_rule(
    logical_name: str, service: tuple[str, str], tls: ClientTls, namespace: str, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """TLS of connections to a Service, which is given by its name and host."""
    name, host = service
    spec = DestinationRuleSpec(host=host, traffic_policy=TrafficPolicy(tls=tls))
    return custom_resource(logical_name, spec, metadata=metadata(name, namespace), opts=opts)
