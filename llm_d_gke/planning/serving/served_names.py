"""Names that a model's engine answers to."""

from __future__ import annotations

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.settings.models import ModelSettings


def splits_of(ctx: PlanContext, model: ModelSettings) -> tuple[str, ...]:
    """Shared names that the model's engine has to answer to, whatever its weight is at the moment."""
    return tuple(split.name for split in ctx.settings.splits if model.name in split.weights)
