"""Errors of several methods on the same published measurements, as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llm_d_gke.catalog.engine import HeldOutErrors, generation
from llm_d_gke.operations.speed_check.measured_steps import measured_steps
from llm_d_gke.operations.speed_check.prediction import Prediction, predict
from llm_d_gke.operations.speed_check.rows import Row

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


METHODS: Mapping[str, Method] = {
    "roofline": by_roofline,
    "aiconfigurator": by_measured_operators,
}


_PREDICTIONS: dict[tuple[str, Method], Prediction | None] = {}


def predicted(row: Row, method: Method) -> Prediction | None:
    """The prediction of a method for a row, cached because every table uses it."""
    if (row.id, method) not in _PREDICTIONS:
        _PREDICTIONS[row.id, method] = method(row)
    return _PREDICTIONS[row.id, method]


def outcomes(rows: Iterable[Row], method: Method) -> tuple[Outcome, ...]:
    """Of the rows that the method has an answer for."""
    return tuple(Outcome(row, prediction) for row in rows if (prediction := predicted(row, method)) is not None)


def sizes(all_outcomes: Iterable[Outcome], figure: str) -> list[float]:
    """Errors of one figure without their signs, ascending."""
    return sorted(abs(outcome.error(figure)) for outcome in all_outcomes if figure in outcome.row.measured)


def earned(all_outcomes: Sequence[Outcome]) -> HeldOutErrors:
    """The error that a method may state after these rows."""
    together = sorted(size for figure in ("tpot", "tokens") for size in sizes(all_outcomes, figure))
    medians = {figure: statistics.median(sizes(all_outcomes, figure) or [1.0]) for figure in FIGURES}
    return HeldOutErrors(
        rows=len(all_outcomes),
        time_to_first_token=round(medians["ttft"], 2),
        time_per_output_token=round(medians["tpot"], 2),
        throughput=round(medians["tokens"], 2),
        percentile_90=round(_ninth(together), 2) if together else 1.0,
    )


def _ninth(ascending: Sequence[float]) -> float:
    return ascending[min(len(ascending) - 1, int(0.9 * len(ascending)))]


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Medians and 90th percentiles of each method, on all rows and on those that the optional package covers."""
    held_out = [row for row in rows if row.held_out]
    covered = {outcome.row.id for outcome in outcomes(rows, by_measured_operators)}
    groups = [("held out", held_out), ("fitted to", [row for row in rows if not row.held_out])]
    if covered:
        groups.insert(1, ("held out, covered by aiconfigurator", [row for row in held_out if row.id in covered]))
    yield "| rows | method | n | first token | each further token | tokens/s |"
    yield "|---|---|---|---|---|---|"
    for title, group in groups:
        for name, method in METHODS.items():
            group_outcomes = outcomes(group, method)
            if group_outcomes and len(group_outcomes) == len(group):
                cells = [_spread(sizes(group_outcomes, figure)) for figure in FIGURES]
                yield f"| {title} | {name} | {len(group_outcomes)} | {' | '.join(cells)} |"


def by_accelerator(rows: Sequence[Row]) -> Iterator[str]:
    """Medians of the roofline on the rows held out, by accelerator."""
    yield "| accelerator | rows, held out | first token | each further token | tokens/s |"
    yield "|---|---|---|---|---|"
    for name in sorted({row.accelerator for row in rows}):
        every = [row for row in rows if row.accelerator == name]
        row_outcomes = outcomes([row for row in every if row.held_out], by_roofline)
        cells = [_median(sizes(row_outcomes, figure)) for figure in FIGURES]
        yield f"| {name} | {len(every)}, {len(row_outcomes)} | {' | '.join(cells)} |"


def details(rows: Sequence[Row]) -> Iterator[str]:
    """Every row with its measurement and the error of each method, in the same order."""
    yield "| row | held out | measured: first token s, each ms, tokens/s | roofline | aiconfigurator |"
    yield "|---|---|---|---|---|"
    for row in rows:
        errors = [_errors(row, predicted(row, method)) for method in METHODS.values()]
        yield f"| {row.id} | {'yes' if row.held_out else ''} | {_measured(row)} | {' | '.join(errors)} |"


def coefficients(rows: Sequence[Row]) -> Iterator[str]:
    """The coefficients of each method by generation, in the form of llm_d_gke/catalog/engine.yaml."""
    for name in ("roofline", "aiconfigurator"):
        for kind in ("gpu", "tpu"):
            group = [row for row in rows if row.held_out and generation(row.card.compute_capability) == kind]
            group_outcomes = outcomes(group, METHODS[name])
            if group_outcomes:
                fields = ", ".join(f"{key}: {value:g}" for key, value in earned(group_outcomes).model_dump().items())
                yield f"    {name}-{kind}: {{{fields}}}"


def _spread(ascending: Sequence[float]) -> str:
    return f"{statistics.median(ascending):.1%} / {_ninth(ascending):.0%}" if ascending else ""


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
