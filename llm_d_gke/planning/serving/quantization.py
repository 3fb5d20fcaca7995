"""Quantized weights against what a GPU can compute (vLLM documentation, "Quantization", "Supported Hardware")."""

from __future__ import annotations

from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.alternatives import accelerator_with
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.settings.models import ModelSettings


def check_quantization(ctx: PlanContext, index: int, settings: ModelSettings, model: Model | None) -> None:
    """Findings about a format for which the accelerator has no hardware support."""
    capability = ctx.accelerator.compute_capability
    if capability is None:
        return
    own = model.quantization.method if model is not None and model.quantization is not None else None
    method = settings.quantization or own
    path = ("models", index, "quantization" if settings.quantization else "id")
    value = settings.quantization or settings.id
    if method == "fp8" and not ctx.accelerator.fp8:
        ctx.findings.warning(
            "LLMD-QUANTIZATION-FP8",
            *path,
            value=value,
            accelerator=ctx.accelerator.title,
            other=accelerator_with(ctx.catalog, lambda other: other.fp8),
        )
