"""Namespace, credentials, and bounds: how much may run there, and limits for containers without any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.layout import parallelism_of
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.plan.platform import HuggingFacePlan, NamespacePlan, PullSecretPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.serving.multi_node import pod_security_level, security_exception

TOKEN_SECRET = "huggingface-token"  # noqa: S105 - a Secret's name
_ENFORCE = "pod-security.kubernetes.io/enforce"
# More than the pods of any stack that was there before, and those that others start: debugging, copies of weights,
# solvers of certificate challenges.
_OTHER_PODS = 500
_DEFAULT_LIMITS = {"memory": "1Gi", "ephemeral-storage": "1Gi"}
_DEFAULT_REQUESTS = {"cpu": "50m", "memory": "128Mi", "ephemeral-storage": "64Mi"}


def plan_namespace(ctx: PlanContext) -> NamespacePlan:
    """Pod Security labels: enforces the strictest level that admits every planned pod, and warns by `restricted`."""
    settings = ctx.settings.namespace
    level = pod_security_level([security_exception(ctx, parallelism_of(ctx, model)) for model in ctx.settings.models])
    labels = {
        _ENFORCE: level,
        "pod-security.kubernetes.io/audit": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
        "app.kubernetes.io/part-of": "llm-d",
    }
    return NamespacePlan(name=ctx.namespace, create=not settings.existing, labels=labels)


def plan_hugging_face(ctx: PlanContext, encrypted: frozenset[str]) -> HuggingFacePlan:
    """Which credential the model servers read, and whether the stack makes it."""
    settings = ctx.settings.hugging_face
    if settings.token is not None:
        _check_encrypted(ctx, "huggingFace", "token", encrypted)
        if not settings.token.get_secret_value().startswith("hf_"):
            ctx.error("LLMD-TOKEN-FORM", "huggingFace.token", value="(hidden)")
    return HuggingFacePlan(
        secret=settings.existing_secret or (TOKEN_SECRET if settings.token is not None else None),
        create_secret=settings.token is not None,
        token=settings.token,
        secret_manager=settings.secret_manager_secret,
    )


def plan_pull_secret(ctx: PlanContext, encrypted: frozenset[str]) -> PullSecretPlan | None:
    """The pull secret every pod refers to, if there is one."""
    settings = ctx.settings.registry
    if settings.existing_secret is not None:
        return PullSecretPlan(name=settings.existing_secret, create=False)
    if settings.server is None or settings.username is None or settings.password is None:
        return None
    _check_encrypted(ctx, "registry", "password", encrypted)
    return PullSecretPlan(
        name=ctx.release.pull_secret,
        create=True,
        server=settings.server,
        username=settings.username,
        password=settings.password,
    )


def _check_encrypted(ctx: PlanContext, group: str, key: str, encrypted: frozenset[str]) -> None:
    if group not in encrypted:
        ctx.error("LLMD-SECRET-PLAIN", group, key, case="group", value="(hidden)", group=group, key=key)


def bounded(
    namespace: NamespacePlan,
    sites: Sequence[tuple[PlanContext, Sequence[NodePoolPlan]]],
    models: Sequence[ModelPlan],
    further_pods: int,
) -> NamespacePlan:
    """The namespace with its bounds. One that exists keeps its owner's. `further_pods` serve no single model.

    A quota stops a runaway, not a rollout: while a stack changes, the old pods count against the new quota until the
    new ones run, whatever ran before. It therefore admits many pods, and leaves accelerators to the largest size of the
    node pools. Load balancers are counted: one more would be a door past the Gateway.
    """
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
