"""Pattern `mixture-of-experts`: the experts of one model are spread over accelerators."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.patterns.base import Pattern
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.settings.stack import Pattern as Name


@dataclass(frozen=True)
class MixtureOfExperts(Pattern):
    """One model, which has experts."""

    name: Name = "mixture-of-experts"

    def check_model(self, ctx: PlanContext, index: int, settings: ModelSettings, model: Model | None) -> None:
        """The model has experts, as far as the catalog has the model."""
        if model is not None and model.experts is None:
            ctx.findings.error("LLMD-PATTERN-EXPERTS", f"models[{index}].id", value=settings.id, model=model.id)
