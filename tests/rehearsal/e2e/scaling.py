"""Load on a rehearsed stack that scales: steps of it, the first request to no replica, and a window of time."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from llm_d_gke.kube import Kube
from llm_d_gke.operations.live_stack.metrics import prometheus_of
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.status import reachable

from .live import ENGINES, options, pods, ready_pods, wait_for
from .traffic import Request, Steady

STACK = "autoscaled-gpu"
_MODEL = "Qwen/Qwen2.5-3B-Instruct"
_TARGET, _MOST = 4, 3
# A quick way down, and no windows: the example's own would depend on the hour.
_SETTINGS = {
    "windows": [],
    "target": {"requestsPerReplica": _TARGET},
    "up": {"replicas": _MOST, "periodSeconds": 15},
    "down": {"replicas": 1, "periodSeconds": 5, "stabilizationSeconds": 5},
}


def _changes(settings: Mapping[str, Any], *more: str) -> tuple[str, ...]:
    """Settings of the example's autoscaling, and whole ones, for the command line of `up`."""
    return options([*(f"models[0].autoscaling.{key}={json.dumps(value)}" for key, value in settings.items()), *more])


CHANGES = _changes(_SETTINGS)
# Requests a second before and after the step, and during it. Each has 60 tokens, which take an engine of the estimate
# two seconds: about one is in flight before the step, and more than two replicas hold during it.
_QUIET, _BUSY, _TOKENS = 0.5, 7.0, 60
_SCALES_SECONDS = 420.0
# None without requests, for the least time that the settings allow.
_FROM_ZERO = {"windows": [], "minimum": 0, "maximum": 2, "target": {"requestsPerReplica": 16}, "idleSeconds": 60}
# By whether requests wait in the picker's queue.
FROM_ZERO = {queue: _changes(_FROM_ZERO, f"picker.flowControl={json.dumps(queue)}") for queue in (True, False)}
# Requests that are watched after the first answer.
_MORE = 10
_IN_WINDOW = 2
# In the order in which they happen.
PARTS = ("seen by Prometheus", "replicas raised", "pod on a node", "pod ready", "first answer")


@dataclass
class Round:
    """Seconds from the step of load to each event, and the requests of the whole round."""

    seconds: dict[str, float] = field(default_factory=dict)
    down: float = 0.0
    nodes_gone: float = 0.0
    requests: int = 0
    unanswered: int = 0


@dataclass(frozen=True)
class Woken:
    """Requests to a model without replicas, in seconds: to the first answer, and the longest that one took.

    `sent` were sent before the first answer; `refused` are statuses of all that were not answered, 0 where the
    connection broke. `zero_after` counts from the last request to the end of the last replica, None if not waited for.
    """

    sent: int
    refused: tuple[int, ...]
    first: float
    longest: float
    zero_after: float | None


@dataclass(frozen=True)
class Window:
    """Seconds from the start of a window until its replicas are planned and ready, and from its end until one replica
    is planned and the others have ended. All requests, and those that were not answered.
    """

    raised: float
    ready: float
    lowered: float
    ended: float
    requests: int
    unanswered: int


def wake(paths: StackPaths, *, wait: bool) -> Woken:
    """Wait until no replica is left, then send a request a second. With `wait`, wait for no replica once more."""
    with client(paths) as kube:

        def none_left() -> bool:
            return not kube.list("v1", "Pod", labels=ENGINES)

        _until(none_left, "no replica is left")
        with Steady(Request(reachable(paths), _MODEL, "is the number."), 1.0) as steady:
            began = time.monotonic()
            _until(lambda: bool(steady.answers()), "the first answer")
            first = time.monotonic() - began
            _until(lambda: len(steady.answers(began + first)) >= _MORE, f"{_MORE} requests more")
        over = time.monotonic()
        if wait:
            _until(none_left, "no replica is left")
    return Woken(
        sent=sum(sample.began < began + first for sample in steady.samples),
        refused=tuple(sample.status for sample in steady.unanswered),
        first=first,
        longest=max(sample.seconds for sample in steady.samples if sample.answered),
        zero_after=time.monotonic() - over if wait else None,
    )


def window(paths: StackPaths, up: Callable[..., object]) -> Window:
    """Give a stack that runs with CHANGES a window, by `up`, which changes one object and ends before the window."""
    with client(paths) as kube, Steady(Request(reachable(paths), _MODEL, "is the number."), 2.0) as steady:
        minute = datetime.timedelta(minutes=1)
        start = datetime.datetime.now(tz=datetime.UTC).replace(second=0, microsecond=0) + 3 * minute
        end = start + minute
        planned = {"start": _cron(start), "end": _cron(end), "replicas": _IN_WINDOW}
        up(*_changes(_SETTINGS | {"windows": [planned]}))
        if len(pods(kube, ENGINES)) != 1:
            raise RuntimeError("there is more than one replica before the window")
        raised = _seconds_until(start, lambda: _replicas(kube) == _IN_WINDOW, "the replicas of the window")
        ready = _seconds_until(start, lambda: len(ready_pods(kube, ENGINES)) == _IN_WINDOW, "they are ready")
        lowered = _seconds_until(end, lambda: _replicas(kube) == 1, "one replica after the window")
        ended = _seconds_until(end, lambda: len(kube.list("v1", "Pod", labels=ENGINES)) == 1, "the other has ended")
    return Window(raised, ready, lowered, ended, len(steady.samples), len(steady.unanswered))


def _cron(moment: datetime.datetime) -> str:
    return f"{moment.minute} {moment.hour} {moment.day} {moment.month} *"


def _seconds_until(moment: datetime.datetime, condition: Callable[[], bool], what: str) -> float:
    """Seconds from a moment of the clock until something holds."""
    _until(condition, what)
    return (datetime.datetime.now(tz=datetime.UTC) - moment).total_seconds()


def step_of_load(paths: StackPaths) -> Round:
    """One scale-up to all replicas and back to one, with its nodes. Raises TimeoutError if one never comes."""
    base = prometheus_of(paths, lambda _: None)
    with client(paths) as kube:
        return _step(kube, base, Request(reachable(paths), _MODEL, "is the number.", _TOKENS))


def _step(kube: Kube, base: str, request: Request) -> Round:
    old = {pod["metadata"]["name"] for pod in pods(kube, ENGINES)}
    nodes = len(_accelerators(kube))
    done = Round()
    with Steady(request, _QUIET) as quiet:
        with Steady(request, _BUSY) as busy:
            began = time.monotonic()
            _watch(kube, base, busy, old, began, done)
            _until(lambda: len(ready_pods(kube, ENGINES)) == _MOST, f"{_MOST} replicas are ready")
        fell = time.monotonic()
        _until(lambda: len(kube.list("v1", "Pod", labels=ENGINES)) == len(old), "the replicas of the step have ended")
        done.down = time.monotonic() - fell
        _until(lambda: len(_accelerators(kube)) == nodes, "their nodes have gone")
        done.nodes_gone = time.monotonic() - fell
    samples = [*quiet.samples, *busy.samples]
    done.requests, done.unanswered = len(samples), sum(not sample.answered for sample in samples)
    return done


def _watch(kube: Kube, base: str, busy: Steady, old: set[str], began: float, done: Round) -> None:
    """Record when each step before the new replica's first answer ends."""
    checks: dict[str, Callable[[], bool]] = {
        "seen by Prometheus": lambda: in_flight(base) > _TARGET * len(old),
        "replicas raised": lambda: _replicas(kube) > len(old),
        "pod on a node": lambda: any(
            pod["spec"].get("nodeName") for pod in pods(kube, ENGINES) if pod["metadata"]["name"] not in old
        ),
        "pod ready": lambda: not ready_pods(kube, ENGINES) <= old,
        "first answer": lambda: any(sample.pod not in old for sample in busy.answers(began)),
    }
    for part in PARTS:
        _until(checks[part], part)
        done.seconds[part] = time.monotonic() - began


def in_flight(base: str) -> float:
    """Requests in batches and queues of all engines, as the stack's Prometheus has them."""
    query = 'sum({__name__=~"vllm:num_requests_(running|waiting)"})'
    answer = httpx.get(f"{base}/api/v1/query", params={"query": query}, timeout=10.0, trust_env=False).json()
    results = answer["data"]["result"]
    return float(results[0]["value"][1]) if results else 0.0


def _until(condition: Callable[[], bool], what: str) -> None:
    wait_for(condition, what, _SCALES_SECONDS)


def _replicas(kube: Kube) -> int:
    """What the Deployment of the model servers is scaled to."""
    deployments = kube.list("apps/v1", "Deployment")
    return max(
        int(item["spec"]["replicas"])
        for item in deployments
        if (item["spec"]["template"]["metadata"].get("labels") or {}).get("llm-d.ai/inference-serving") == "true"
    )


def _accelerators(kube: Kube) -> list[str]:
    nodes = kube.list("v1", "Node")
    return [node["metadata"]["name"] for node in nodes if "nvidia.com/gpu" in node["status"]["capacity"]]
