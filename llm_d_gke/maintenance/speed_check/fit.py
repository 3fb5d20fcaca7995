"""Fits the constants of the roofline to the measurements that are not held out, by coordinate descent.

The measure is the mean of the absolute logarithms of predicted by measured, so that half and double count the same; a
figure counts for at most a factor of three, since some of the conditions that were published are not the whole truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.catalog.engine import Engine, load_engine, use_engine
from llm_d_gke.catalog.engine_speed import Generation, SpeedConstants, generation
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.maintenance.speed_check.prediction import predict
from llm_d_gke.maintenance.speed_check.rows import FIGURES, Row
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run
from llm_d_gke.planning.sizing.speed import Load, estimate
from llm_d_gke.planning.sizing.steps import Roofline

# Limits of each constant: nothing is faster than its data sheet.
LIMITS: Mapping[str, tuple[float, float]] = {
    "bandwidth_share": (0.4, 0.95),
    "matrix_share": (0.2, 0.9),
    "matrix_share_fp8": (0.1, 0.9),
    "matrix_share_unpacked": (0.1, 0.9),
    "experts_share": (0.1, 1.0),
    "experts_reading_share": (0.2, 1.0),
    "attention_share": (0.05, 0.9),
    "layer_seconds": (2e-6, 2e-4),
    "experts_layer_seconds": (2e-6, 4e-4),
    "experts_fp8_layer_seconds": (2e-6, 2e-4),
    "host_seconds": (1e-4, 1.5e-2),
    "sequence_seconds": (1e-7, 2e-4),
    "link_share": (0.1, 0.9),
}
_REQUEST = (0.005, 0.06)
_STEPS = (1.25, 1.1, 1.03)
_ROUND = 0.1  # an error below this hardly counts: no constant follows one measurement's last percent
_MAX_ERROR = math.log(3)
_GUIDES = Path(FIGURES).with_name("guide_loads.yaml")


@dataclass(frozen=True)
class Constants:
    """The constants fitted for one kind of accelerator."""

    kind: Generation
    roofline: SpeedConstants
    request_seconds: float

    def engine(self) -> Engine:
        """The facts of the engine with these constants."""
        engine = load_engine()
        speed = engine.speed
        changed = speed.model_copy(
            update={
                "constants": speed.constants.model_copy(update={self.kind: self.roofline}),
                "request_seconds": {**speed.request_seconds, _family(self.kind): self.request_seconds},
            }
        )
        return engine.model_copy(update={"speed": changed})

    def with_value(self, name: str, value: float) -> Constants:
        if name == "request_seconds":
            return Constants(self.kind, self.roofline, value)
        return Constants(self.kind, self.roofline.model_copy(update={name: value}), self.request_seconds)

    def value(self, name: str) -> float:
        return self.request_seconds if name == "request_seconds" else float(getattr(self.roofline, name))


def fit(kind: Generation, rows: Sequence[Row], report: Callable[[str], None] = print) -> Constants:
    """The constants at which the rows that may be fitted to are nearest. Deterministic."""
    fitted = [row for row in rows if not row.held_out and generation(row.card.compute_capability) == kind]
    guides = [guide for guide in guide_loads() if guide.generation == kind]
    speed = load_engine().speed
    best = Constants(kind, speed.constants.of(kind), speed.request_seconds[_family(kind)])
    lowest = loss(best, fitted, guides)
    # The time of a request is the same on any GPU, and few measurements of older GPUs contain it.
    names = tuple(LIMITS) if kind == "turing" else (*LIMITS, "request_seconds")
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for name in names:
                low, high = LIMITS.get(name, _REQUEST)
                for factor in (step, 1 / step):
                    value = min(high, max(low, best.value(name) * factor))
                    tried = best.with_value(name, value)
                    candidate_loss = loss(tried, fitted, guides)
                    if candidate_loss < lowest - 1e-6:
                        best, lowest, improved = tried, candidate_loss, True
                        report(f"{kind} {lowest:.4f} {name} = {value:.4g}")
                        break
    return best


def _family(kind: Generation) -> str:
    return "tpu" if kind == "tpu" else "gpu"


def loss(constants: Constants, rows: Sequence[Row], guides: Sequence[GuideLoad]) -> float:
    """Mean of the capped absolute logarithms of predicted by measured."""
    with use_engine(constants.engine()):
        errors = [error for row in rows for error in _errors(row, constants)]
        errors += [error for guide in guides for error in guide.errors()]
    return sum(errors) / max(1, len(errors))


def _errors(row: Row, constants: Constants) -> list[float]:
    prediction = predict(row, Roofline(row.engine, row.card, constants.roofline))
    if prediction is None:
        return []
    return [_distance(prediction.of(figure), value) for figure, value in row.measured.items()]


def _distance(predicted: float, measured: float) -> float:
    """The distance of two figures: their ratio's logarithm, rounded off near zero and capped."""
    return math.hypot(_ROUND, min(_MAX_ERROR, abs(math.log(predicted / measured)))) - _ROUND


@dataclass(frozen=True)
class GuideLoad:
    """A measurement of the llm-d guides for GKE, which was not streamed: the whole latency and the rate."""

    entry: Mapping[str, Any]
    run: EngineRun

    @property
    def generation(self) -> Generation:
        return generation(self.run.capability)

    def errors(self) -> list[float]:
        entry = self.entry
        load = Load(entry["prompt"], entry["output"], entry["concurrency"])
        # The run keeps the step times of other constants.
        self.run.figures.pop(("steps", 0), None)
        estimated = estimate(self.run, catalog.load().accelerators[entry["accelerator"]], load, entry["replicas"])
        if estimated is None:
            return []
        pairs = ((estimated.latency, entry["latency"]), (estimated.requests_per_second, entry["requests"]))
        return [_distance(predicted, measured) for predicted, measured in pairs]


def guide_loads() -> tuple[GuideLoad, ...]:
    """The guides' measurements, without those held out."""
    catalog_, loads = catalog.load(), []
    for entry in read_yaml(_GUIDES):
        run = engine_run(
            catalog_.models[entry["model"]],
            catalog_.accelerators[entry["accelerator"]],
            entry["version"],
            EngineOptions(
                max_model_len=2048,
                utilization=0.85 if entry["dtype"] else 0.9,
                dtype=entry["dtype"],
                tensor_parallel=entry["tensor_parallel"],
            ),
        )
        if run is not None and not entry.get("held_out"):
            loads.append(GuideLoad(entry, run))
    return tuple(loads)
