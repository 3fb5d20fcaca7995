"""Compares the estimates of each method for one engine under a load, with each method's error."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.engine import HeldOutErrors, load_engine
from llm_d_gke.catalog.schema import Accelerator
from llm_d_gke.operations.speed_check.measured_steps import installed, measured_steps
from llm_d_gke.planning.plan.estimates import SpeedEstimate
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.speed import METHOD, Load, estimate


def opinions(run: EngineRun, accelerator: Accelerator, load: Load) -> Iterator[str]:
    """A Markdown table. For a method that does not cover the engine the table holds the reason."""
    yield "| method | first token | each further token | tokens/s | half measured within | nine of ten within |"
    yield "|---|---|---|---|---|---|"
    steps = measured_steps(run, accelerator.name)
    speeds = {METHOD: estimate(run, accelerator, load)}
    if steps is not None:
        speeds[steps.name] = estimate(run, accelerator, load, steps=steps)
    for method, speed in speeds.items():
        earned = load_engine().speed.held_out_errors.get(f"{method}-{run.kind}")
        yield f"| {method} | {_figures(speed)} | {_errors(earned, accelerator)} |"
    if steps is None:
        reason = (
            "lacks this card or model" if installed() else "is not installed: pip install -r requirements-speed.txt"
        )
        yield f"\naiconfigurator {reason}."


def _figures(speed: SpeedEstimate | None) -> str:
    if speed is None:
        return "does not fit | |"
    first, per_token = speed.time_to_first_token * 1000, speed.time_per_output_token * 1000
    return f"{first:.0f} ms | {per_token:.1f} ms | {speed.output_tokens_per_second:,.0f}"


def _errors(earned: HeldOutErrors | None, accelerator: Accelerator) -> str:
    if earned is None or accelerator.name not in load_engine().speed.measured:
        return "not measured on this accelerator |"
    return f"{earned.typical:.0%} | {earned.percentile_90:.0%}"
