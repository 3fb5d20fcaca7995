"""Starts that failed in public reports although the estimate leaves room: warnings, never hidden by a formula."""

from __future__ import annotations

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.sizing.memory import EngineRun


def check_start_reports(ctx: PlanContext, index: int, model: Model) -> None:
    """Warn if a report exists that an engine of the same architecture does not start on this accelerator."""
    for report in load_engine().start_reports:
        if report.architecture == model.architecture and ctx.accelerator.name in report.accelerators:
            ctx.findings.warning(
                "LLMD-START-REPORTED",
                "models",
                index,
                "id",
                value=model.id,
                rule=f"on {ctx.accelerator.title} {report.seen} ({report.source})",
                fix="try one start before you rely on it, or use another accelerator",
            )


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
