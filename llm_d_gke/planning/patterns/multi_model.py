"""Pattern `multi-model`: several models behind one Gateway, chosen by the name in the request."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.planning.context import Findings
from llm_d_gke.planning.patterns.base import Pattern
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.stack import Pattern as Name


@dataclass(frozen=True)
class MultiModel(Pattern):
    """A model router puts the base model of each request into a header, which routes match."""

    name: Name = "multi-model"
    routes_by_model: bool = True

    def check_settings(self, settings: StackSettings, findings: Findings) -> None:
        """Two or more models, and a Gateway that can call the router."""
        super().check_settings(settings, findings)
        number = len(settings.models)
        if number < 2:
            findings.error(
                "LLMD-PATTERN-TWO-MODELS",
                "models",
                value="1 model",
                rule="multi-model puts a model router in front of several models, and there is one",
                fix="use pattern: single-replica, or add a model",
            )
        if settings.gateway.implementation != "gke":
            findings.error(
                "LLMD-PATTERN-GATEWAY",
                "gateway",
                "implementation",
                value=settings.gateway.implementation,
                rule="multi-model calls its router through an extension that only Google's load balancers have",
                fix="use implementation: gke, or one stack for each model",
            )
