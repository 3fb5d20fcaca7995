"""What a stack in production should not lack, by the signs of production in its file."""

from __future__ import annotations

from llm_d_gke.planning.context import PlanContext

_LABELS = ("environment", "env", "stage", "tier")
_VALUES = ("production", "prod", "prd", "live")


def check_production(ctx: PlanContext) -> None:
    """Warn of a cluster that one command deletes, and of nodes that Google takes away."""
    cluster, accelerator = ctx.settings.cluster, ctx.settings.accelerator
    sign = _sign(ctx)
    unsaid = "deletion_protection" not in cluster.model_fields_set
    if sign is not None and unsaid and cluster.existing is None:
        ctx.warning("LLMD-PRODUCTION-DELETABLE", "cluster.deletionProtection", value="(missing)", sign=sign)
    if cluster.deletion_protection:
        sign = sign or "cluster.deletionProtection"
    fallbacks = accelerator.compute_class.fallbacks if accelerator.compute_class is not None else ()
    only_spot = accelerator.provisioning == "spot" and all(choice.provisioning == "spot" for choice in fallbacks)
    if sign is not None and only_spot:
        ctx.warning("LLMD-PRODUCTION-SPOT", "accelerator.provisioning", sign=sign)


def _sign(ctx: PlanContext) -> str | None:
    """What says that the stack is in production: a label, or a part of its name."""
    for key in _LABELS:
        if (value := ctx.settings.labels.get(key)) in _VALUES:
            return f"label {key}: {value}"
    parts = ctx.stack.replace("_", "-").replace(".", "-").split("-")
    return f"the stack's name {ctx.stack}" if any(value in parts for value in _VALUES) else None
