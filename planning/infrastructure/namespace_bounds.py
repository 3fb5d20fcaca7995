"""Bounds of a namespace: how much may run in it, and limits of containers that state none.

Quotas admit twice what the node pools can hold: a rollout or a switch of deployment runs old and new pods side by side.
They stop a runaway, not a rollout. Load balancers are counted exactly: one more would be a door past the Gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from planning.context import PlanContext
from planning.plan.infrastructure import NodePoolPlan
from planning.plan.platform import NamespacePlan
from planning.plan.stack import ModelPlan

# Room for pods that others start in the namespace: debugging, copies of weights, solvers of certificate challenges.
_OTHER_PODS = 20
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
    # Paused servers come back without a change of the quota.
    accelerators: dict[str, int] = {}
    for ctx, pools in sites:
        name = f"requests.{ctx.accelerator.resource_name}"
        accelerators[name] = accelerators.get(name, 0) + ctx.per_node * sum(pool.max_nodes for pool in pools)
    # A server's pod takes one accelerator or more. The pools' largest size also bounds what an autoscaler starts.
    servers = sum(accelerators.values())
    pods = servers + sum(model.picker.replicas for model in models) + further_pods
    direct = sum(server.direct_service is not None for model in models for server in model.servers)
    gateways = sum(ctx.settings.gateway.implementation == "istio" for ctx, _ in sites[:1])
    return replace(
        namespace,
        quota={
            "pods": str(2 * pods + _OTHER_PODS),
            "services.loadbalancers": str(direct + gateways),
            **{name: str(2 * count) for name, count in accelerators.items()},
        },
        default_limits=_DEFAULT_LIMITS,
        default_requests=_DEFAULT_REQUESTS,
    )
