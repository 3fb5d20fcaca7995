"""Typed access to engine.yaml: what each version of vLLM takes for itself, and how fast it is measured to be."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from .schema import Entry, Source

_FILE = Path(__file__).with_name("engine.yaml")
# libyaml reads ten times faster, but PyYAML is sometimes built without it
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Interconnect = Literal["nvlink", "pcie", "ici"]


class NonTorch(Entry):
    """GiB per rank outside torch's allocator, by how ranks are joined."""

    alone: float
    pipeline: float  # one rank per stage
    nvlink: float  # tensor parallel
    pcie: float  # tensor parallel


class Band(Entry):
    """Constants of the versions from `since` up to the next band's."""

    since: str
    utilization: float
    sampler_bytes: float
    moe_gib: float
    graphs_reserved: bool
    in_flight: int
    tokens: Literal["blocks", "concurrency"]
    non_torch: NonTorch
    calibrated: Literal["fully", "partly"]
    sources: tuple[str, ...]


class Graphs(Entry):
    base_gib: float
    layer_gib: float
    sizes: int  # sizes captured when the two figures above were read


class Batch(Entry):
    from_gib: float
    tokens: int
    sequences: int


class FieldReport(Entry):
    """A start that was seen to fail against the formulas; `seen` says how, `instead` which share of memory worked."""

    model: str
    accelerator: str
    since: str
    before: str
    utilization: float
    sequences: int
    seen: str
    instead: float
    source: str


class Errors(Entry):
    """Stated errors: shares for `weights*` and `activation_uncalibrated`, GiB for the rest."""

    weights: float
    weights_quantized: float
    non_torch_alone: float
    non_torch_parallel: float
    activation: float
    activation_moe: float
    activation_encoder: float
    activation_uncalibrated: float
    graphs_gib: float  # of the estimate that vLLM reserves
    graphs_actual_gib: float  # of the graphs themselves
    tpu_gib: float
    least_gib: float  # no verdict is trusted closer than this: the same flags passed and failed on one T4


class Fitted(Entry):
    """What the measurements cover: beyond it the estimate is extrapolated."""

    accelerators: tuple[str, ...]
    sequences: int  # in flight on one replica
    tokens: int  # of prompt and answer together


class Metrics(Entry):
    """Time series one scrape of a pod brings."""

    series: Mapping[str, int]
    sources: tuple[str, ...]


class Speed(Entry):
    """Constants of the roofline model in planning/sizing/speed.py."""

    bandwidth_share: float
    prefill_share: float
    decode_share: float
    host_floor_seconds: Mapping[str, float]
    per_sequence_seconds: Mapping[str, float]
    request_seconds: Mapping[str, float]
    collective_seconds: Mapping[str, float]
    all_to_all_seconds: float
    transfer_bytes_per_second: Mapping[str, float]
    unfitted: tuple[str, ...]  # constants above that the measurements do not settle
    fitted: Fitted
    error: float
    sources: tuple[str, ...]


class AllToAll(Entry):
    """A way for data-parallel ranks to exchange tokens, as `--all2all-backend` names it."""

    rdma: bool  # moves tokens from GPU to GPU over RDMA network cards
    privileged: bool  # on GKE: opens GPU-initiated connections, which the driver gives to privileged containers only
    tokens: int | None  # each rank sends at most so many at once, into buffers for all experts; None: no such buffers


class Features(Entry):
    """The version of vLLM from which on it can do something."""

    multi_node: str  # one engine over several hosts without Ray (--nnodes)
    rank_ports: str  # a port for each data-parallel rank, under one supervisor
    tpu_multi_host: str  # one engine over the hosts of a TPU slice, through Ray
    drain: str  # running requests may end after SIGTERM (--shutdown-timeout)


class Engine(Entry):
    """The whole of engine.yaml."""

    sources: Mapping[str, Source]
    bands: tuple[Band, ...]  # newest first
    newest: str
    graphs: Graphs
    batches: tuple[Batch, ...]  # largest first
    tpu_batches: Mapping[str, int]
    tpu_sequences: int
    tpu_utilization_tested: float
    pcie: tuple[str, ...]
    field_reports: tuple[FieldReport, ...]
    errors: Errors
    speed: Speed
    all_to_all: Mapping[str, AllToAll]
    features: Features
    metrics: Metrics

    def band(self, version: str) -> Band:
        """The band of a version; versions older than the oldest band are taken as it."""
        wanted = _release(version)
        return next((band for band in self.bands if _release(band.since) <= wanted), self.bands[-1])

    def has(self, version: str, since: str) -> bool:
        """Whether a version has what came with another."""
        return _release(version) >= _release(since)

    def knows(self, version: str) -> bool:
        """Whether the figures were read from or checked on versions around this one."""
        return _release(self.bands[-1].since) <= _release(version) <= _release(self.newest)


@functools.cache
def load_engine() -> Engine:
    """Read and validate engine.yaml, once. Raises pydantic's ValidationError naming the field."""
    return Engine.model_validate(yaml.load(_FILE.read_text(encoding="utf-8"), Loader=_Loader))  # noqa: S506 (both are safe)


def _release(version: str) -> tuple[int, int]:
    """`0.19.1` is (0, 19). Raises ValueError on anything that is not a version."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    if match is None:
        raise ValueError(f"not a vLLM version: {version}")
    return int(match[1]), int(match[2])
