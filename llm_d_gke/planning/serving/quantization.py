"""Quantized weights against what a GPU can compute (vLLM documentation, "Quantization", "Supported Hardware")."""

from __future__ import annotations

from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.memory_check import target_run_of
from llm_d_gke.planning.sizing.other_hardware import cheapest_hardware


def check_quantization(served: ServedModel) -> None:
    """Findings about a format for which the accelerator has no hardware support."""
    settings, model = served.settings, served.model
    capability = served.accelerator.compute_capability
    if capability is None:
        return
    own = model.quantization.method if model is not None and model.quantization is not None else None
    method = settings.quantization or own
    path = "quantization" if settings.quantization else "id"
    value = settings.quantization or settings.id
    if method == "fp8" and not served.accelerator.fp8:
        run = target_run_of(served)
        other = None if run is None else cheapest_hardware(served, run, target_run_of, lambda card: card.fp8)
        served.warning(
            "LLMD-QUANTIZATION-FP8",
            path,
            value=value,
            fix=(f"use {other}, or " if other is not None else "") + "expect less memory but no speedup",
        )
