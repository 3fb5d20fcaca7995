"""Clients of a rehearsed stack that compete: whether short requests of one starve while another floods the engine."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence

import httpx

from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.maintenance.measure.edge import CHANGES, MODEL, STACK
from llm_d_gke.maintenance.measure.rehearsed import client_keys, options, rehearse, running
from llm_d_gke.maintenance.measure.traffic import Request, Sample, Steady, at_rate, by_clients
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.status import reachable

# The names of the rehearsal's own keys.
FLOODING, _QUIET = "rehearsal", "other"
# Requests in an engine's batch; requests in flight of the flooding client, and their tokens; seconds of the flood.
BATCH, _FLOOD, _TOKENS, _SECONDS = 8, 60, 100, 20.0
_PER_SECOND = 1.0
# Requests in a second of a flooding client that does not wait for answers: more than twice what the engine answers.
_FLOOD_RATE = 10.0
LOW = -10
# Settings of each comparison. The last two have an effect only where the picker of llm-d-0.9 runs (REHEARSAL_EPP).
_CASES: Mapping[str, tuple[str, ...]] = {
    "no queue in the picker": (),
    "picker.flowControl: clients take turns": ("picker.flowControl=true",),
    "and gateway.priorities: the quiet one first": ("picker.flowControl=true", f"gateway.priorities.{_QUIET}=10"),
    "picker.maxConcurrency: clients take turns": ("picker.flowControl=true", f"picker.maxConcurrency={BATCH}"),
    "and gateway.priorities": (
        "picker.flowControl=true",
        f"picker.maxConcurrency={BATCH}",
        f"gateway.priorities.{_QUIET}=10",
    ),
}


def priorities() -> None:
    """Seconds of a quiet client's requests, alone and beside the flood, with each of the settings."""
    print_head("setting", "flood", "requests", "answered", "median", "slowest")
    batch = options((f"models[0].maxNumSeqs={BATCH}",))
    with running(STACK, *CHANGES, *batch) as paths:
        for name, settings in _CASES.items():
            if settings:
                rehearse("up", STACK, *CHANGES, *batch, *options(settings))
            else:
                _print(name, "none", _quiet_beside(paths, 0))
            _print(name, f"{_FLOOD} at once", _quiet_beside(paths, _FLOOD))


def shedding() -> None:
    """Seconds of a quiet client's requests beside a flood at a rate, which is its equal or has a priority below 0."""
    print_head("release", "flood", "requests", "answered", "median", "slowest", "flood answered", "flood refused")
    for release in ("gaie-1.5", "llm-d-0.6"):
        settings = options((f"models[0].maxNumSeqs={BATCH}", f"release={release}"))
        with running(STACK, *CHANGES, *settings) as paths:
            print_beside_rate(release, "priority 0", *quiet_beside_rate(paths))
            rehearse("up", STACK, *CHANGES, *settings, *options((f"gateway.priorities.{FLOODING}={LOW}",)))
            print_beside_rate(release, f"priority {LOW}", *quiet_beside_rate(paths))


def print_beside_rate(release: str, name: str, quiet: Sequence[Sample], flood: Sequence[Sample]) -> None:
    """Print a row of both clients' samples."""
    answered = sum(sample.answered for sample in quiet)
    seconds = [sample.seconds for sample in quiet]
    times = (f"{statistics.median(seconds):.2f} s", f"{max(seconds):.2f} s")
    refused = sum(sample.status == httpx.codes.TOO_MANY_REQUESTS for sample in flood)
    print_row(release, name, len(quiet), answered, *times, sum(sample.answered for sample in flood), refused)


def quiet_beside_rate(paths: StackPaths) -> tuple[list[Sample], list[Sample]]:
    """Samples of the quiet client while the other sends at a rate, and those of the other."""
    address, keys = reachable(paths), _keys(paths)
    quiet = Request(address, MODEL, "is the number.", 8, {"x-api-key": keys[_QUIET]})
    with Steady(quiet, _PER_SECOND) as load:
        began = time.monotonic()
        samples = at_rate(itertools.islice(_flood(address, keys[FLOODING]), int(_SECONDS * _FLOOD_RATE)), _FLOOD_RATE)
    # The first ones were sent before there was a queue.
    return [sample for sample in load.samples if 3 < sample.began - began < _SECONDS], samples


def _keys(paths: StackPaths) -> dict[str, str]:
    """API keys by client."""
    with client(paths) as kube:
        return {name.partition(".")[0]: key for name, key in client_keys(kube).items()}


def _quiet_beside(paths: StackPaths, flood: int) -> list[Sample]:
    """Samples of the quiet client that were sent while the other kept `flood` requests in flight."""
    address, keys = reachable(paths), _keys(paths)
    quiet = Request(address, MODEL, "is the number.", 8, {"x-api-key": keys[_QUIET]})
    with Steady(quiet, _PER_SECOND) as load:
        if flood:
            by_clients(_flood(address, keys[FLOODING]), flood, _SECONDS)
        else:
            time.sleep(_SECONDS)
        until = time.monotonic()
    # The first ones were sent before there was a queue.
    return [sample for sample in sorted(load.samples, key=lambda sample: sample.began)[3:] if sample.began < until]


def _flood(address: str, key: str) -> Iterator[Request]:
    for number in itertools.count():
        yield Request(address, MODEL, f"{number} of many.", _TOKENS, {"x-api-key": key})


def _print(name: str, flood: str, samples: list[Sample]) -> None:
    seconds = [sample.seconds for sample in samples] or [0.0]
    answered = sum(sample.answered for sample in samples)
    print_row(name, flood, len(samples), answered, f"{statistics.median(seconds):.2f} s", f"{max(seconds):.2f} s")
