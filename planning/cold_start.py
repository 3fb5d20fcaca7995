"""What a first request waits for when no node is up: an estimate in parts. Probes follow planning/start_up.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from catalog.engine import load_engine


@dataclass(frozen=True)
class ColdStart:
    """Expected seconds of each part, one after the other, after a decision to scale from zero."""

    node: float
    image: float
    weights: float
    engine: float
    compilation: float

    @property
    def total(self) -> float:
        return self.pod + self.node

    @property
    def pod(self) -> float:
        """From a scheduled pod to a ready one."""
        return self.image + self.weights + self.engine + self.compilation


def cold_start(
    kind: Literal["gpu", "tpu"], download_gib: float, weights_gib: float, *, stored: bool = False
) -> ColdStart:
    """`download_gib` come from the Hub, unless the weights are `stored` near by; `weights_gib` go to the device."""
    figures = load_engine().cold_start
    fetched = 0.0 if stored else download_gib * 1024 / figures.download_mib_per_second
    return ColdStart(
        node=figures.node_seconds[kind],
        image=figures.image_seconds[kind],
        weights=fetched + weights_gib * 1024 / figures.load_mib_per_second,
        engine=figures.engine_seconds[kind],
        compilation=figures.compile_seconds[kind],
    )
