"""Replicas that follow the load: KEDA's objects, and its access to the stack's metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.components.custom_resources.base import Named, custom_resource
from llm_d_gke.components.custom_resources.keda import (
    FORCE_ACTIVATION,
    PAUSED_REPLICAS,
    Advanced,
    Behavior,
    HorizontalPodAutoscalerConfig,
    ScaledObjectSpec,
    ScaleTarget,
    ScalingPolicy,
    ScalingRules,
    Trigger,
    TriggerAuthenticationSpec,
)
from llm_d_gke.components.instance import Component, named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import child
from llm_d_gke.components.platform.webhooks import retry_until_webhooks_ready
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.planning.plan.serving import ModelServerPlan, ScalingPlan, ScalingSpeedPlan, TriggerPlan
from llm_d_gke.planning.serving.autoscaling import METRICS_ROLE

_METRICS = "managed-prometheus"


class Autoscaling(Component):
    """One ScaledObject for each workload that scales, and the TriggerAuthentication that they share.

    Each depends on its workload: deleted first, it does not scale what is being deleted. `operator` is the service
    account of an installed KEDA as (namespace, name), None for an existing one, whose owner grants the role.
    """

    def __init__(
        self,
        servers: Sequence[ModelServerPlan],
        operator: tuple[str, str] | None,
        workloads: Mapping[str, pulumi.Resource],
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__("llm-d:inference:Autoscaling", "autoscaling", scope.opts)
        options = scope.deleted_with_cluster(self, depends_on)
        needed: list[pulumi.Resource] = [
            custom_resource(
                _METRICS,
                TriggerAuthenticationSpec(),
                metadata=metadata(_METRICS, scope.namespace),
                opts=retry_until_webhooks_ready(_METRICS, options),
            )
        ]
        if operator is not None:
            namespace, account = operator
            needed.append(
                gcp.projects.IAMMember(
                    named("autoscaler-metrics", self),
                    project=scope.project,
                    role=METRICS_ROLE,
                    member=f"serviceAccount:{scope.workload_pool}[{namespace}/{account}]",
                    # The project's workload identity pool exists from its first cluster on.
                    opts=child(self, depends_on=depends_on),
                )
            )
        for server in servers:
            if server.scaling is not None:
                own = scope.deleted_with_cluster(self, [*depends_on, *needed, workloads[server.name]])
                _scaled_object(server.scaling, server, scope.namespace, own)
        self.register_outputs({})


def _scaled_object(plan: ScalingPlan, server: ModelServerPlan, namespace: str, opts: pulumi.ResourceOptions) -> None:
    api_version, kind, name = plan.target
    active = {FORCE_ACTIVATION: "true"} if plan.minimum else None
    custom_resource(
        plan.name,
        ScaledObjectSpec(
            scale_target_ref=ScaleTarget(api_version=api_version, kind=kind, name=name),
            polling_interval=plan.polling_seconds,
            cooldown_period=plan.idle_seconds,
            min_replica_count=plan.minimum,
            max_replica_count=plan.maximum,
            advanced=Advanced(
                horizontal_pod_autoscaler_config=HorizontalPodAutoscalerConfig(
                    name=plan.name, behavior=Behavior(scale_up=_rules(plan.up), scale_down=_rules(plan.down))
                )
            ),
            triggers=[_trigger(trigger) for trigger in plan.triggers],
        ),
        metadata=metadata(
            plan.name, namespace, labels=server.selector, annotations={PAUSED_REPLICAS: "0"} if plan.paused else active
        ),
        opts=retry_until_webhooks_ready(f"{plan.name}-scaling", opts),
    )


def _rules(speed: ScalingSpeedPlan) -> ScalingRules:
    return ScalingRules(
        stabilization_window_seconds=speed.stabilization_seconds,
        policies=[ScalingPolicy(type=speed.kind, value=speed.value, period_seconds=speed.period_seconds)],
    )


def _trigger(plan: TriggerPlan) -> Trigger:
    return Trigger(
        type=plan.kind,
        name=plan.name,
        metadata=dict(plan.metadata),
        metric_type=plan.metric_type,
        authentication_ref=Named(name=_METRICS) if plan.kind == "prometheus" else None,
    )
