"""Errors of the estimate on published measurements, and the estimate for one engine, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_speed import HeldOutErrors, generation
from llm_d_gke.catalog.schema import Accelerator
from llm_d_gke.cli.markdown import table
from llm_d_gke.maintenance.speed_check.prediction import Prediction, predict
from llm_d_gke.maintenance.speed_check.rows import Row
from llm_d_gke.planning.plan.estimates import SpeedEstimate
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.speed import METHOD, Load, estimate, is_measured

FIGURES: Mapping[str, str] = {"ttft": "first token", "tpot": "each further token", "tokens": "tokens/s"}


@dataclass(frozen=True)
class Outcome:
    """The prediction for one row."""

    row: Row
    prediction: Prediction

    def error(self, figure: str) -> float:
        """Relative error, signed."""
        return self.prediction.of(figure) / self.row.measured[figure] - 1


def outcomes(rows: Iterable[Row]) -> tuple[Outcome, ...]:
    """Of the rows whose load fits."""
    return tuple(Outcome(row, prediction) for row in rows if (prediction := predict(row)) is not None)


def absolute_errors(all_outcomes: Iterable[Outcome], figure: str) -> list[float]:
    """Absolute errors of one figure, ascending."""
    return sorted(abs(outcome.error(figure)) for outcome in all_outcomes if figure in outcome.row.measured)


def stated_errors_of(all_outcomes: Sequence[Outcome]) -> HeldOutErrors:
    """The error that a method may state after these rows."""
    together = sorted(size for figure in ("tpot", "tokens") for size in absolute_errors(all_outcomes, figure))
    medians = {figure: statistics.median(absolute_errors(all_outcomes, figure) or [1.0]) for figure in FIGURES}
    return HeldOutErrors(
        rows=len(all_outcomes),
        time_to_first_token=round(medians["ttft"], 2),
        time_per_output_token=round(medians["tpot"], 2),
        throughput=round(medians["tokens"], 2),
        percentile_90=round(_percentile_90(together), 2) if together else 1.0,
    )


def _percentile_90(ascending: Sequence[float]) -> float:
    return ascending[min(len(ascending) - 1, int(0.9 * len(ascending)))]


def summary(compared: Sequence[Outcome]) -> Iterator[str]:
    """Medians and 90th percentiles of the rows held out, and of the others."""
    table_rows = []
    for title, held_out in (("held out", True), ("fitted to", False)):
        group = [outcome for outcome in compared if outcome.row.held_out is held_out]
        table_rows.append((title, len(group), *(_spread(absolute_errors(group, figure)) for figure in FIGURES)))
    return table(("rows", "n", *FIGURES.values()), table_rows)


def by_accelerator(compared: Sequence[Outcome]) -> Iterator[str]:
    """Medians on the rows held out, by accelerator."""
    table_rows = []
    for name in sorted({outcome.row.accelerator for outcome in compared}):
        every = [outcome for outcome in compared if outcome.row.accelerator == name]
        held_out = [outcome for outcome in every if outcome.row.held_out]
        medians = (_median(absolute_errors(held_out, figure)) for figure in FIGURES)
        table_rows.append((name, f"{len(every)}, {len(held_out)}", *medians))
    return table(("accelerator", "rows, held out", *FIGURES.values()), table_rows)


def details(compared: Sequence[Outcome]) -> Iterator[str]:
    """Every row with its measurement and the errors, in the same order."""
    return table(
        ("row", "held out", "measured: first token s, each ms, tokens/s", METHOD),
        [
            (outcome.row.id, "yes" if outcome.row.held_out else "", _measured(outcome.row), _errors(outcome))
            for outcome in compared
        ],
    )


def coefficients(compared: Sequence[Outcome]) -> Iterator[str]:
    """The errors that the estimate states, by kind of accelerator, in the form of llm_d_gke/catalog/engine.yaml."""
    for kind in ("gpu", "tpu"):
        held_out = [
            outcome
            for outcome in compared
            if outcome.row.held_out and generation(outcome.row.card.compute_capability) == kind
        ]
        errors = stated_errors_of(held_out).model_dump()
        yield f"    {METHOD}-{kind}: {{{', '.join(f'{key}: {value:g}' for key, value in errors.items())}}}"


def _spread(ascending: Sequence[float]) -> str:
    return f"{statistics.median(ascending):.1%} / {_percentile_90(ascending):.0%}" if ascending else ""


def _median(ascending: Sequence[float]) -> str:
    return f"{statistics.median(ascending):.0%}" if ascending else ""


def _measured(row: Row) -> str:
    per_token = None if row.tpot is None else row.tpot * 1000
    return ", ".join("" if value is None else f"{value:.4g}" for value in (row.ttft, per_token, row.tokens))


def _errors(outcome: Outcome) -> str:
    return ", ".join(f"{outcome.error(figure):+.0%}" if figure in outcome.row.measured else "" for figure in FIGURES)


def method_table(run: EngineRun, accelerator: Accelerator, load: Load) -> Iterator[str]:
    """The estimate for one engine with its measured error, as a Markdown table."""
    figures = _figures(estimate(run, accelerator, load))
    errors = load_engine().speed.held_out_errors.get(f"{METHOD}-{run.kind}")
    head = ("method", *FIGURES.values(), "half measured within", "nine of ten within")
    return table(head, [(METHOD, *figures, *_planner_errors(errors, run, accelerator))])


def _figures(speed: SpeedEstimate | None) -> tuple[str, str, str]:
    if speed is None:
        return "does not fit", "", ""
    first, per_token = speed.time_to_first_token * 1000, speed.time_per_output_token * 1000
    return f"{first:.0f} ms", f"{per_token:.1f} ms", f"{speed.output_tokens_per_second:,.0f}"


def _planner_errors(errors: HeldOutErrors | None, run: EngineRun, accelerator: Accelerator) -> tuple[str, str]:
    if errors is None or not is_measured(run, accelerator):
        return "not held against a measurement", ""
    return f"{errors.typical:.0%}", f"{errors.percentile_90:.0%}"
