"""Pattern `mixture-of-experts`: the experts of one model are spread over accelerators."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.planning.patterns.base import Pattern
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings.stack import Pattern as Name


@dataclass(frozen=True)
class MixtureOfExperts(Pattern):
    """One model, which has experts."""

    name: Name = "mixture-of-experts"

    def check_model(self, served: ServedModel) -> None:
        """The model has experts, as far as the catalog has the model."""
        model = served.model
        if model is not None and model.experts is None:
            served.error("LLMD-PATTERN-EXPERTS", "id")
