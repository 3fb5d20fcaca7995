"""Starts that failed in public reports although the estimate leaves room: warnings, never hidden by a formula."""

from __future__ import annotations

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_reports import StartReport
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.options import option_value
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.settings.models import ModelSettings


def check_start_reports(ctx: PlanContext, index: int, settings: ModelSettings, model: Model, version: str) -> None:
    """Say so if a report exists of the same model, accelerator, version and format that did not start, or answered
    wrongly."""
    for report in load_engine().start_reports:
        if not _is_alike(ctx, settings, model, version, report):
            continue
        add_finding = ctx.findings.error if report.ends else ctx.findings.warning
        add_finding(
            "LLMD-START-REPORTED",
            "models",
            index,
            "id",
            value=model.id,
            rule=f"on {ctx.accelerator.title} {report.seen} ({report.source})",
            fix=report.instead,
        )
        if report.ends:
            return


def _is_alike(ctx: PlanContext, settings: ModelSettings, model: Model, version: str, report: StartReport) -> bool:
    engine = load_engine()
    cache = settings.kv_cache_dtype or option_value(settings.extra_args, "--kv-cache-dtype") or ""
    backend = option_value(settings.extra_args, "--attention-backend", "--attention-config.backend")
    backend = backend or settings.env.get("VLLM_ATTENTION_BACKEND")
    speculation = settings.speculative_decoding
    return (
        report.architecture in (None, model.architecture)
        and (not report.accelerators or ctx.accelerator.name in report.accelerators)
        and engine.has(version, report.since)
        and not (report.before is not None and engine.has(version, report.before))
        and report.weights in (None, _format(model, settings))
        and (model.experts is not None or not report.experts)
        and (report.kv_cache is None or cache.startswith(report.kv_cache))
        and (report.backend is None or (backend or "").upper() == report.backend)
        and (speculation.tokens if speculation is not None else 0) >= report.guessed
        and (bool(settings.adapters) or not report.adapters)
        and max((adapter.rank for adapter in settings.adapters), default=0) >= report.rank
        and report.guesses in (None, speculation.method if speculation is not None else "")
        and (report.unless is None or option_value(settings.extra_args, report.unless) is None)
    )


def _format(model: Model, settings: ModelSettings) -> str | None:
    own = model.quantization
    if own is None:
        return settings.quantization
    if own.is_nvfp4:
        return "compressed-nvfp4" if own.method == "compressed-tensors" else "nvfp4"
    # NVIDIA's checkpoints in fp8 and those of compressed-tensors run by the same kernels.
    return "fp8" if own.bits == 8 and own.method in ("fp8", "modelopt", "compressed-tensors") else own.method


def check_field_reports(ctx: PlanContext, index: int, run: EngineRun) -> None:
    """Warn if a report exists of a failed start with the same model, accelerator, version and share of memory."""
    engine = load_engine()
    for report in engine.field_reports:
        same = report.model == run.model.id and report.accelerator == ctx.accelerator.name
        if same and report.since <= engine.band(run.version).since < report.before:
            if run.utilization < report.utilization or run.max_num_seqs < report.sequences:
                continue
            ctx.findings.warning(
                "LLMD-MEMORY-REPORTED",
                "models",
                index,
                "gpuMemoryUtilization",
                value=run.utilization,
                rule=f"{report.seen}, which the estimate does not explain ({engine.sources[report.source].citation})",
                fix=f"use gpuMemoryUtilization: {report.instead}, or a lower maxNumSeqs",
            )
