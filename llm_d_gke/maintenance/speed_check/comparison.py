"""Errors of several methods on the same published measurements, and their estimates for one engine, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llm_d_gke.catalog.engine import HeldOutErrors, generation, load_engine
from llm_d_gke.catalog.schema import Accelerator
from llm_d_gke.cli.markdown import table
from llm_d_gke.maintenance.speed_check.measured_steps import installed, measured_steps
from llm_d_gke.maintenance.speed_check.prediction import Prediction, predict
from llm_d_gke.maintenance.speed_check.rows import Row
from llm_d_gke.planning.plan.estimates import SpeedEstimate
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.speed import METHOD, Load, estimate, is_measured

FIGURES: Mapping[str, str] = {"ttft": "first token", "tpot": "each further token", "tokens": "tokens/s"}
Method = Callable[[Row], Prediction | None]


@dataclass(frozen=True)
class Outcome:
    """The prediction of a method for one row."""

    row: Row
    prediction: Prediction

    def error(self, figure: str) -> float:
        """Relative error, signed."""
        return self.prediction.of(figure) / self.row.measured[figure] - 1


def by_roofline(row: Row) -> Prediction | None:
    return predict(row)


def by_measured_operators(row: Row) -> Prediction | None:
    """None where the optional package is not installed or lacks card or model."""
    steps = measured_steps(row.engine, row.accelerator)
    return None if steps is None else predict(row, steps)


METHODS: Mapping[str, Method] = {"roofline": by_roofline, "aiconfigurator": by_measured_operators}


_PREDICTIONS: dict[tuple[str, Method], Prediction | None] = {}


def predicted(row: Row, method: Method) -> Prediction | None:
    """The prediction of a method for a row, cached because every table uses it."""
    if (row.id, method) not in _PREDICTIONS:
        _PREDICTIONS[row.id, method] = method(row)
    return _PREDICTIONS[row.id, method]


def outcomes(rows: Iterable[Row], method: Method) -> tuple[Outcome, ...]:
    """Of the rows that the method has an answer for."""
    return tuple(Outcome(row, prediction) for row in rows if (prediction := predicted(row, method)) is not None)


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


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Medians and 90th percentiles of each method, on all rows and on those that the optional package covers."""
    held_out = [row for row in rows if row.held_out]
    covered = {outcome.row.id for outcome in outcomes(rows, by_measured_operators)}
    groups = [("held out", held_out), ("fitted to", [row for row in rows if not row.held_out])]
    if covered:
        groups.insert(1, ("held out, covered by aiconfigurator", [row for row in held_out if row.id in covered]))
    table_rows = [
        (title, name, len(compared), *(_spread(absolute_errors(compared, figure)) for figure in FIGURES))
        for title, group in groups
        for name, method in METHODS.items()
        if (compared := outcomes(group, method)) and len(compared) == len(group)
    ]
    return table(("rows", "method", "n", *FIGURES.values()), table_rows)


def by_accelerator(rows: Sequence[Row]) -> Iterator[str]:
    """Medians of the roofline on the rows held out, by accelerator."""
    table_rows = []
    for name in sorted({row.accelerator for row in rows}):
        every = [row for row in rows if row.accelerator == name]
        held_out = outcomes([row for row in every if row.held_out], by_roofline)
        medians = (_median(absolute_errors(held_out, figure)) for figure in FIGURES)
        table_rows.append((name, f"{len(every)}, {len(held_out)}", *medians))
    return table(("accelerator", "rows, held out", *FIGURES.values()), table_rows)


def details(rows: Sequence[Row]) -> Iterator[str]:
    """Every row with its measurement and the error of each method, in the same order."""
    return table(
        ("row", "held out", "measured: first token s, each ms, tokens/s", *METHODS),
        [
            (
                row.id,
                "yes" if row.held_out else "",
                _measured(row),
                *(_errors(row, predicted(row, method)) for method in METHODS.values()),
            )
            for row in rows
        ],
    )


def coefficients(rows: Sequence[Row]) -> Iterator[str]:
    """The coefficients of each method by generation, in the form of llm_d_gke/catalog/engine.yaml."""
    for name in ("roofline", "aiconfigurator"):
        for kind in ("gpu", "tpu"):
            group = [row for row in rows if row.held_out and generation(row.card.compute_capability) == kind]
            group_outcomes = outcomes(group, METHODS[name])
            if group_outcomes:
                fields = ", ".join(
                    f"{key}: {value:g}" for key, value in stated_errors_of(group_outcomes).model_dump().items()
                )
                yield f"    {name}-{kind}: {{{fields}}}"


def _spread(ascending: Sequence[float]) -> str:
    return f"{statistics.median(ascending):.1%} / {_percentile_90(ascending):.0%}" if ascending else ""


def _median(ascending: Sequence[float]) -> str:
    return f"{statistics.median(ascending):.0%}" if ascending else ""


def _measured(row: Row) -> str:
    per_token = None if row.tpot is None else row.tpot * 1000
    return ", ".join("" if value is None else f"{value:.4g}" for value in (row.ttft, per_token, row.tokens))


def _errors(row: Row, prediction: Prediction | None) -> str:
    if prediction is None:
        return ""
    outcome = Outcome(row, prediction)
    return ", ".join(f"{outcome.error(figure):+.0%}" if figure in row.measured else "" for figure in FIGURES)


def method_table(run: EngineRun, accelerator: Accelerator, load: Load) -> Iterator[str]:
    """A Markdown table. For a method that does not cover the engine the table holds the reason."""
    steps = measured_steps(run, accelerator.name)
    speeds = {METHOD: estimate(run, accelerator, load)}
    if steps is not None:
        speeds[steps.name] = estimate(run, accelerator, load, steps=steps)
    errors = load_engine().speed.held_out_errors
    yield from table(
        ("method", *FIGURES.values(), "half measured within", "nine of ten within"),
        [
            (method, *_figures(speed), *_planner_errors(errors.get(f"{method}-{run.kind}"), run, accelerator))
            for method, speed in speeds.items()
        ],
    )
    if steps is None:
        reason = (
            "lacks this card or model" if installed() else "is not installed: pip install -r requirements-speed.txt"
        )
        yield f"\naiconfigurator {reason}."


def _figures(speed: SpeedEstimate | None) -> tuple[str, str, str]:
    if speed is None:
        return "does not fit", "", ""
    first, per_token = speed.time_to_first_token * 1000, speed.time_per_output_token * 1000
    return f"{first:.0f} ms", f"{per_token:.1f} ms", f"{speed.output_tokens_per_second:,.0f}"


def _planner_errors(errors: HeldOutErrors | None, run: EngineRun, accelerator: Accelerator) -> tuple[str, str]:
    if errors is None or not is_measured(run, accelerator):
        return "not held against a measurement", ""
    return f"{errors.typical:.0%}", f"{errors.percentile_90:.0%}"
