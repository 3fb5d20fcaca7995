"""Typed access to charts.yaml: where the charts of controllers go, what they need, and the values they get."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from .reading import read_yaml
from .schema import Entry

_FILE = Path(__file__).with_name("charts.yaml")


class ChartFacts(Entry):
    """One chart. charts.yaml explains the fields."""

    controller: Literal["leader_worker_set", "cert_manager", "kserve", "istio", "keda"]
    namespace: str
    kinds: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    images: Mapping[str, str] = {}
    ports: tuple[int, ...] = ()
    web: tuple[int, ...] = ()
    inside: tuple[int, ...] = ()
    metadata: bool = False
    pod_security: Literal["restricted", "baseline"] = "restricted"
    values: Mapping[str, Any] = {}

    def images_of(self, version: str) -> Mapping[tuple[str, ...], str]:
        """Images of a version of the chart, by the path of the value that names each."""
        return {tuple(path.split(".")): image.format(version=version) for path, image in self.images.items()}


@functools.cache
def load_charts() -> Mapping[str, ChartFacts]:
    """Read and validate charts.yaml, once. Raises pydantic's ValidationError naming the field."""
    return {name: ChartFacts.model_validate(entry) for name, entry in read_yaml(_FILE).items()}
