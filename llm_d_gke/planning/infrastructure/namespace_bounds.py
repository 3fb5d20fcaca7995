"""Bounds of a namespace: how much may run in it, and limits for containers without any.

A quota stops a runaway, not a rollout: while a stack changes, the old pods count against the new quota until the new
ones run, whatever ran before. It therefore admits many pods, and leaves accelerators to the largest size of the node
pools. Load balancers are counted: one more would be a door past the Gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.plan.platform import NamespacePlan
from llm_d_gke.planning.plan.stack import ModelPlan

# More than the pods of any stack that was there before, and those that others start: debugging, copies of weights,
# solvers of certificate challenges.
_OTHER_PODS = 500
_DEFAULT_LIMITS = {"memory": "1Gi", "ephemeral-storage": "1Gi"}
_DEFAULT_REQUESTS = {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"}


def bounded(
    namespace: NamespacePlan,
    sites: Sequence[tuple[PlanContext, Sequence[NodePoolPlan]]],
    models: Sequence[ModelPlan],
    further_pods: int,
) -> NamespacePlan:
    """The namespace with its bounds. One that exists keeps its owner's. `further_pods` serve no single model."""
    if not namespace.create:
        return namespace
    # A server's pod takes one accelerator or more. The pools' largest size also bounds what an autoscaler starts, and
    # paused servers come back without a change of the quota.
    servers = sum(ctx.per_node * pool.max_nodes for ctx, pools in sites for pool in pools)
    pods = servers + sum(model.picker.replicas for model in models) + further_pods
    direct = sum(server.direct_service is not None for model in models for server in model.servers)
    gateways = sum(ctx.settings.gateway.implementation == "istio" for ctx, _ in sites[:1])
    return replace(
        namespace,
        quota={
            "pods": str(2 * pods + _OTHER_PODS),
            # A switch of deployment has the old server's and the new one's for a while.
            "services.loadbalancers": str(2 * direct + gateways),
        },
        default_limits=_DEFAULT_LIMITS,
        default_requests=_DEFAULT_REQUESTS,
    )
