"""Replicas of several pods as a LeaderWorkerSet, and the ResourceClaimTemplate of their devices."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.resource import v1 as resource

from llm_d_gke.components.custom_resources.base import custom_resource
from llm_d_gke.components.custom_resources.leader_worker_set import (
    EXCLUSIVE_TOPOLOGY,
    LeaderWorkerSetSpec,
    LeaderWorkerTemplate,
    RollingUpdate,
    RolloutStrategy,
)
from llm_d_gke.components.instance import named
from llm_d_gke.components.metadata import metadata, wait_for
from llm_d_gke.components.platform.webhooks import retry_until_webhooks_ready
from llm_d_gke.components.pods import pod_template
from llm_d_gke.planning.plan.serving import ClaimTemplatePlan, LeaderWorkerPlan, ModelServerPlan


def leader_worker_set(
    server: ModelServerPlan, group: LeaderWorkerPlan, namespace: str, opts: pulumi.ResourceOptions
) -> kubernetes.apiextensions.CustomResource:
    """Create the groups of one model server. `up` waits until every pod of every group is ready."""
    # Without groups there is no condition to wait for.
    available = wait_for("condition=Available") if server.replicas else {}
    annotations = group_annotations(group) | owned_replicas(server) | available
    return custom_resource(
        server.name,
        LeaderWorkerSetSpec(
            replicas=server.replicas,
            rollout_strategy=RolloutStrategy(
                rolling_update_configuration=RollingUpdate(
                    max_unavailable=server.max_unavailable, max_surge=server.max_surge
                )
            ),
            leader_worker_template=LeaderWorkerTemplate(
                leader_template=None if group.workers is None else pod_template(server.pod),
                worker_template=pod_template(group.workers or server.pod),
                size=group.size,
            ),
        ),
        metadata=metadata(server.name, namespace, labels=server.selector, annotations=annotations),
        opts=retry_until_webhooks_ready(server.name, opts),
    )


def owned_replicas(server: ModelServerPlan) -> dict[str, str]:
    """The annotation by which an update sets a fixed number of replicas although another program has set one.

    An autoscaler that is gone stays the owner of the field, and every later change of the number would end in a
    conflict with it.
    """
    return {"pulumi.com/patchForce": "true"} if server.scaling is None else {}


def group_annotations(group: LeaderWorkerPlan) -> dict[str, str]:
    """Annotations of a LeaderWorkerSet, or of an object that one is created from."""
    return {} if group.exclusive_topology is None else {EXCLUSIVE_TOPOLOGY: group.exclusive_topology}


def claim_template(
    plan: ClaimTemplatePlan, namespace: str, labels: dict[str, str], opts: pulumi.ResourceOptions
) -> resource.ResourceClaimTemplate:
    """A ResourceClaimTemplate: each pod that refers to it claims all devices of the class on its node."""
    devices = resource.ExactDeviceRequestArgs(device_class_name=plan.device_class, allocation_mode="All")
    claim = resource.DeviceClaimArgs(requests=[resource.DeviceRequestArgs(name="all", exactly=devices)])
    return resource.ResourceClaimTemplate(
        named(plan.name, opts),
        metadata=metadata(plan.name, namespace, labels=labels),
        spec=resource.ResourceClaimTemplateSpecArgs(spec=resource.ResourceClaimSpecArgs(devices=claim)),
        opts=opts,
    )
