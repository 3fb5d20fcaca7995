"""Published measurements of served models, and which of them no constant may be fitted to."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.catalog.schema import Accelerator
from llm_d_gke.planning.plan.estimates import MemoryVerdict
from llm_d_gke.planning.sizing.memory import EngineOptions, EngineRun, engine_run, judge

FIGURES = Path(__file__).parents[3] / "tests" / "planning" / "figures" / "serving_benchmarks.yaml"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement. Times in seconds; `tokens` are output tokens per second over all replicas.

    Exactly one of `concurrency` (requests in flight, each followed by another), `burst` (requests sent at once) and
    `rate` (requests per second) is the arrival rate of the load.
    """

    id: str
    source: str
    accelerator: str
    model: str
    version: str
    prompt: int
    output: int
    cached: int = 0
    concurrency: float | None = None
    burst: int | None = None
    rate: float | None = None
    replicas: int = 1
    ttft: float | None = None
    tpot: float | None = None
    tokens: float | None = None
    settings: Mapping[str, Any]

    @property
    def held_out(self) -> bool:
        """Whether the row is excluded from fitting. Depends on the id only."""
        return held_out(self.id)

    @property
    def measured(self) -> dict[str, float]:
        figures = {"ttft": self.ttft, "tpot": self.tpot, "tokens": self.tokens}
        return {name: value for name, value in figures.items() if value is not None}

    @functools.cached_property
    def engine(self) -> EngineRun:
        """The engine that was measured. Raises ValueError where the catalog does not know its memory."""
        catalog_ = catalog.load()
        run = engine_run(catalog_.models[self.model], self.card, self.version, EngineOptions(**self.settings))
        if run is None:
            raise ValueError(f"{self.id}: the memory of {self.accelerator} for {self.model} is not known")
        return run

    @functools.cached_property
    def verdict(self) -> MemoryVerdict:
        return judge(self.engine)

    @functools.cached_property
    def card(self) -> Accelerator:
        return catalog.load().accelerators[self.accelerator]


def held_out(row_id: str) -> bool:
    """Whether the SHA-256 digest of an id is odd."""
    return hashlib.sha256(row_id.encode()).digest()[-1] % 2 == 1


def load_rows(path: Path = FIGURES) -> tuple[Row, ...]:
    """The rows of a file, in its order. Raises ValueError for a row without a source, a load or a figure."""
    document = read_yaml(path)
    rows = []
    for entry in document["rows"]:
        fields = {name: entry[name] for name in Row.__dataclass_fields__ if name in entry}
        settings = {name: value for name, value in entry.items() if name not in fields}
        row = Row(**fields, settings=settings)
        if row.source not in document["sources"]:
            raise ValueError(f"{row.id}: source {row.source} is not described")
        if [row.concurrency, row.burst, row.rate].count(None) != 2:
            raise ValueError(f"{row.id}: give one of concurrency, burst and rate")
        if not row.measured:
            raise ValueError(f"{row.id}: nothing was measured")
        rows.append(row)
    return tuple(rows)
