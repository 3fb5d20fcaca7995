"""The interface of a pattern: its accepted settings, its model servers, and its routes."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.stack import Pattern as Name


@dataclass(frozen=True)
class Pattern:
    """How the replicas of a stack share the work. The default is one model on servers that do prefill and decode.

    `routes_by_model`: requests name one of several models, so a model router and a models endpoint are behind the
    Gateway. `states_block_size`: engine and picker are configured with one KV-cache block size. `relies_on_prefixes`:
    prefix caching cannot be turned off. `transfers_kv_cache`: pods exchange KV cache, which is not encrypted.
    """

    name: Name
    routes_by_model: bool = False
    states_block_size: bool = False
    relies_on_prefixes: bool = False
    transfers_kv_cache: bool = False

    def check_settings(self, settings: StackSettings, findings: Findings) -> None:
        """Findings that need no catalog: numbers of models and replicas, settings of another pattern."""
        if not self.routes_by_model and len(settings.models) > 1:
            findings.error("LLMD-PATTERN-ONE-MODEL", "models", value=f"{len(settings.models)} models", name=self.name)
        if not self.transfers_kv_cache:
            self._check_no_prefill(settings, findings)

    def check_model(self, served: ServedModel) -> None:
        """Findings about one model."""

    def sites(self, ctx: PlanContext) -> tuple[PlanContext, ...] | None:
        """A context for each kind of model server; requests arrive at the first. None if one cannot be resolved."""
        return (ctx,)

    def _check_no_prefill(self, settings: StackSettings, findings: Findings) -> None:
        paths: list[tuple[str | int, ...]] = [
            ("models", index, "prefill") for index, model in enumerate(settings.models) if model.prefill is not None
        ]
        paths += [("prefillAccelerator",)] if settings.prefill_accelerator is not None else []
        paths += [("disaggregation",)] if settings.disaggregation is not None else []
        for path in paths:
            findings.error("LLMD-PREFILL-UNUSED", *path, value="given", name=self.name)
