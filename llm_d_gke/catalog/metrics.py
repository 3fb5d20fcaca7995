"""Typed access to metrics.yaml: what engines and endpoint pickers export, under which names."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from .reading import reader
from .schema import Entry, Source

ENGINE = "vllm"


class Metric(Entry):
    """One metric. `names` and `aliases` are by exporter: `vllm`, or the metric prefix of a release's picker.

    `appears`: when it first exists, where that is not from the start.
    """

    of: Literal["engine", "picker"]
    title: str
    type: Literal["gauge", "counter", "histogram"]
    unit: Literal["1", "s", "tokens", "requests"]
    names: Mapping[str, str]
    aliases: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    labels: tuple[str, ...]
    # Upper bounds of a histogram's buckets, without infinity, where a query reads a single one.
    buckets: tuple[float, ...] = ()
    appears: str = ""
    source: str


class Metrics(Entry):
    """The whole of metrics.yaml."""

    sources: Mapping[str, Source]
    metrics: Mapping[str, Metric]

    @model_validator(mode="after")
    def _sources_exist(self) -> Self:
        unknown = [name for name, metric in self.metrics.items() if metric.source not in self.sources]
        if unknown:
            raise ValueError(f"metrics.yaml: metrics: {', '.join(unknown)}: there is no such source")
        return self

    def name(self, metric: str, picker_prefix: str) -> str:
        """The name that a metric has in a release whose picker has this metric prefix."""
        entry = self.metrics[metric]
        return entry.names[ENGINE if entry.of == "engine" else picker_prefix]


load_metrics = reader(Metrics, "metrics.yaml")
