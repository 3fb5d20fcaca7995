"""Clients of a rehearsed stack that compete: whether short requests of one starve while another floods the engine."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence

import httpx

from llm_d_gke.cli.markdown import print_row
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.status import reachable

from .edge import MODEL
from .live import client_keys
from .traffic import Request, Sample, Steady, at_rate

# The names of the rehearsal's own keys.
FLOODING, _QUIET = "rehearsal", "example-client"
# Requests in an engine's batch; requests in flight of the flooding client, and their tokens; seconds of the flood.
BATCH, _FLOOD, _TOKENS, _SECONDS = 8, 60, 100, 20.0
_PER_SECOND = 1.0
# Requests in a second of a flooding client that does not wait for answers: more than twice what the engine answers.
_FLOOD_RATE = 10.0
LOW = -10


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


def _flood(address: str, key: str) -> Iterator[Request]:
    for number in itertools.count():
        yield Request(address, MODEL, f"{number} of many.", _TOKENS, {"x-api-key": key})
