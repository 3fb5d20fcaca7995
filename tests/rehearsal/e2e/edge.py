"""A stack with API keys and limits at its edge, under bad requests and good ones."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

from llm_d_gke.kube import Kube
from llm_d_gke.kube.conditions import is_true
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.load_balancer import envoy
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.status import reachable
from llm_d_gke.waiting import repeated

from .bad_requests import Refusal, bad_requests, send_all
from .live import ENGINES, PICKERS, client_keys, options, pods, restarts
from .traffic import Request, Sample, Steady

STACK = "gpu"
MODEL = "google/gemma-2b-it"
BODY_BYTES = 100_000
# Istio's Gateway in the VPC, with keys and a limit for bodies and, high enough not to count here, for requests.
SETTINGS: Mapping[str, str] = {
    "implementation": "istio",
    "exposure": "internal",
    "auth.kind": "api-keys",
    "limits.bodyBytes": str(BODY_BYTES),
    "limits.requestsPerMinute": "1000000",
    "limits.per": "key",
}
CHANGES = options(f"gateway.{key}={value}" for key, value in SETTINGS.items())
_WAIT_SECONDS = 60.0
_GATEWAY = ("gateway.networking.k8s.io/v1", "Gateway")
_ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")
_LABELS = (ENGINES, PICKERS)


@dataclass
class EdgeResult:
    """The answers to the bad requests, and the state of everything behind the Gateway meanwhile."""

    refusals: list[Refusal] = field(default_factory=list)
    # Good requests with a key that were sent meanwhile.
    good: list[Sample] = field(default_factory=list)
    # Requests that Envoy passed to engines beside the good ones.
    reached_engines: int = 0
    unready: set[str] = field(default_factory=set)
    restarts: int = 0

    @property
    def served(self) -> list[Refusal]:
        return [refusal for refusal in self.refusals if 100 <= refusal.status < 400]

    @property
    def unclear(self) -> list[Refusal]:
        """Neither a 4xx nor, for what is no HTTP, 501 (an unknown transfer encoding) or a closed connection."""
        return [
            refusal
            for refusal in self.refusals
            if not 400 <= refusal.status < 500 and not (refusal.kind == "malformed HTTP" and refusal.status in (0, 501))
        ]


def bad_input(paths: StackPaths, requests: int) -> EdgeResult:
    """Send bad requests, and good ones at a rate, and watch what is behind the Gateway."""
    address = reachable(paths)
    with client(paths) as kube:
        key = next(iter(client_keys(kube).values()))
        before, restarted = to_engines(paths), _restarts(kube)
        result = EdgeResult()
        good = Request(address, MODEL, "is the number.", headers={"x-api-key": key})
        with repeated(lambda: _note_unready(kube, result), every=0.5), Steady(good, 2.0) as load:
            bad = itertools.islice(bad_requests(address.partition("//")[2], key, BODY_BYTES), requests)
            result.refusals = asyncio.run(send_all(address, bad))
        result.good = load.samples
        result.reached_engines = to_engines(paths) - before - len(load.samples)
        result.restarts = _restarts(kube) - restarted
    return result


def _restarts(kube: Kube) -> int:
    return sum(restarts(kube, labels) for labels in _LABELS)


def to_engines(paths: StackPaths) -> int:
    """Requests that Envoy has passed to engines, as it counts them itself."""
    stats = envoy.admin_page(envoy.admin_of(paths), "/stats", filter="upstream_rq_total")["stats"]
    return sum(
        int(stat["value"])
        for stat in stats
        if str(stat.get("name", "")).startswith("cluster.pool/") and stat["name"].endswith(".upstream_rq_total")
    )


def _note_unready(kube: Kube, result: EdgeResult) -> None:
    """Note pods of engine and picker that are not ready now."""
    for labels in _LABELS:
        result.unready |= {pod["metadata"]["name"] for pod in pods(kube, labels) if not is_true(pod, "Ready")}
