"""One model served by KServe: an LLMInferenceService, and the objects that KServe does not create for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from llm_d_gke.components.custom_resources.base import Enabled, Named, custom_resource
from llm_d_gke.components.custom_resources.llm_inference_service import (
    GatewayRef,
    Gateways,
    HttpRoutes,
    LlmInferenceServiceSpec,
    Model,
    Parallelism,
    Route,
    Router,
    Scheduler,
    SchedulerConfig,
    SchedulerPool,
    Workload,
)
from llm_d_gke.components.disruption import disruption_budget
from llm_d_gke.components.instance import Component
from llm_d_gke.components.metadata import metadata, wait_for
from llm_d_gke.components.options import child
from llm_d_gke.components.platform.webhooks import retry_until_webhooks_ready
from llm_d_gke.components.pods import pod_template
from llm_d_gke.components.routing.inference_pool import pool_policies, pool_spec
from llm_d_gke.components.scope import ClusterScope
from llm_d_gke.components.serving.leader_worker_set import group_annotations
from llm_d_gke.components.serving.model_server import direct_load_balancer, pod_needs
from llm_d_gke.planning.plan.pods import PodPlan
from llm_d_gke.planning.plan.serving import InferenceServicePlan, LeaderWorkerPlan, ModelServerPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.serving.startup import NODE_SECONDS


@dataclass(frozen=True, kw_only=True)
class RouterRefs:
    """The Gateway and the HTTPRoutes that already lead to a service, so that KServe creates none."""

    gateway: str
    routes: tuple[str, ...]


class InferenceService(Component):
    """LLMInferenceService with identity, policies on the pool that KServe makes, and disruption budgets.

    The policies are created first, so that the load balancer never uses its default health check.
    """

    service: kubernetes.apiextensions.CustomResource

    def __init__(
        self,
        plan: InferenceServicePlan,
        model: ModelPlan,
        router: RouterRefs,
        scope: ClusterScope,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        super().__init__("llm-d:inference:InferenceService", plan.name, scope.opts)
        namespace = scope.namespace
        options = scope.deleted_with_cluster(self, depends_on)
        needed = [resource for server in model.servers for resource in pod_needs(self, server, scope, depends_on)]
        policies = pool_policies(self, model.pool, namespace, depends_on)
        seconds = f"{max(server.start_up_seconds for server in model.servers) + NODE_SECONDS + 300}s"
        conditions = [
            f"jsonpath={{.status.conditions[?(@.type=='{condition}')].status}}=True" for condition in plan.conditions
        ]
        self.service = custom_resource(
            plan.name,
            _spec(plan, model, namespace, router),
            metadata=metadata(
                plan.name,
                namespace,
                annotations=_annotations_of_groups(model) | wait_for(*conditions),
            ),
            opts=retry_until_webhooks_ready(
                plan.name,
                pulumi.ResourceOptions.merge(
                    child(
                        self,
                        # Deleted separately from the cluster: KServe must delete what it created, the pool included.
                        depends_on=[*depends_on, *needed, *policies],
                        timeouts=pulumi.CustomTimeouts(create=seconds, update=seconds),
                    ),
                    # KServe refuses a changed group size, and old and new service have the same name.
                    pulumi.ResourceOptions(replace_on_changes=["spec.parallelism"], delete_before_replace=True),
                ),
            ),
        )
        picker = model.picker
        # Of pickers that elect a leader one is ready: a budget would keep its node from being drained.
        disruption_budget(picker.name, namespace, picker.selector, picker.ready_replicas, options)
        for server in model.servers:
            disruption_budget(server.name, namespace, server.selector, server.most_replicas, options)
            direct_load_balancer(self, server, namespace, [*depends_on, self.service])
        self.register_outputs({})


def _annotations_of_groups(model: ModelPlan) -> dict[str, str]:
    """Annotations that KServe copies to the LeaderWorkerSets it creates."""
    annotations = [group_annotations(server.group) for server in model.servers if server.group is not None]
    return {key: value for group in annotations for key, value in group.items()}


def _spec(plan: InferenceServicePlan, model: ModelPlan, namespace: str, refs: RouterRefs) -> LlmInferenceServiceSpec:
    picker = model.picker
    [first, *others] = [_workload(server) for server in model.servers]
    group = model.servers[0].group
    workers = None if group is None else _template(group.workers or model.servers[0].pod)
    return LlmInferenceServiceSpec(
        model=Model(uri=plan.uri, name=plan.model_name),
        storage_initializer=Enabled(enabled=False),
        replicas=first.replicas,
        labels=first.labels,
        annotations=first.annotations,
        template=first.template if group is None or group.workers is not None else None,
        worker=workers,
        parallelism=None if group is None else _parallelism(group),
        prefill=next(iter(others), None),
        router=Router(
            gateway=Gateways(refs=[GatewayRef(name=refs.gateway, namespace=namespace)]),
            route=Route(http=HttpRoutes(refs=[Named(name=name) for name in refs.routes])),
            scheduler=Scheduler(
                replicas=picker.replicas,
                pool=SchedulerPool(spec=pool_spec(model.pool)),
                template=_template(picker.pod),
                config=SchedulerConfig(inline=dict(picker.config)),
            ),
        ),
    )


def _parallelism(group: LeaderWorkerPlan) -> Parallelism:
    """The parallelism that gives a group its planned size. The hosts of one engine count as pipeline stages."""
    if group.ranks > 1:
        return Parallelism(data=group.ranks, data_local=group.ranks // group.size)
    return Parallelism(pipeline=group.size)


def _workload(server: ModelServerPlan) -> Workload:
    metadata = pod_template(server.pod)["metadata"]
    return Workload(
        # Without a number KServe leaves the replicas to the autoscaler. A paused service has none from the start.
        replicas=None if server.scaling is not None and not server.scaling.paused else server.replicas,
        labels=metadata["labels"],
        annotations=metadata.get("annotations"),
        template=_template(server.pod),
    )


def _template(plan: PodPlan) -> dict[str, Any]:
    """The pod's spec, prepared for the merge into KServe's preset: fields that only the preset has are kept.

    The preset's preStop hook is a command. Another kind of hook would be merged beside it, and the API server refuses
    two handlers.
    """
    spec: dict[str, Any] = pod_template(plan)["spec"]
    for container in spec["containers"]:
        if plan.pre_stop_seconds:
            container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(plan.pre_stop_seconds)]}}}
    return spec
