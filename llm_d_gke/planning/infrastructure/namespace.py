"""Namespace and credentials."""

from __future__ import annotations

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.parallelism.layout import parallelism_of
from llm_d_gke.planning.plan.platform import HuggingFacePlan, NamespacePlan, PullSecretPlan
from llm_d_gke.planning.serving.multi_node import pod_security_level, security_exception

TOKEN_SECRET = "huggingface-token"  # noqa: S105 - a Secret's name
_ENFORCE = "pod-security.kubernetes.io/enforce"


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
