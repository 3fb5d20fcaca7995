"""The edge of a rehearsed stack: 10,000 bad requests, and the time that authentication and limits add."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from llm_d_gke.cli.markdown import print_head, table
from llm_d_gke.kube import Kube
from llm_d_gke.kube.conditions import is_true
from llm_d_gke.maintenance.measure.bad_requests import Refusal, bad_requests, send_all
from llm_d_gke.maintenance.measure.rehearsed import ENGINES, PICKERS, client_keys, options, pods, restarts, running
from llm_d_gke.maintenance.measure.table import print_median
from llm_d_gke.maintenance.measure.traffic import Request, Sample, Steady, ask_in_turn
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.load_balancer import envoy
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.status import reachable
from llm_d_gke.waiting import repeated, wait_until

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

    def table(self) -> list[str]:
        """Bad requests by kind and status."""
        counts = Counter((refusal.kind, refusal.status) for refusal in self.refusals)
        statuses = sorted({status for _, status in counts})
        names = {0: "closed", -1: "no answer"}
        head = ("kind", *(names.get(status, str(status)) for status in statuses))
        kinds = dict.fromkeys(kind for kind, _ in sorted(counts))
        return list(table(head, [(kind, *(counts[kind, status] or "" for status in statuses)) for kind in kinds]))


def edge(requests: int = 10_000, pairs: int = 600) -> None:
    """Bad requests through Envoy and the picker of a stack with keys, then authentication and limits side by side."""
    with running(STACK, *CHANGES) as paths:
        began = time.monotonic()
        result = bad_input(paths, requests)
        print(f"\n{requests} bad requests in {time.monotonic() - began:.0f} s\n", *result.table(), sep="\n")
        failed = sum(not sample.answered for sample in result.good)
        print(
            f"\nserved: {len(result.served)}; neither 4xx nor closed: {len(result.unclear)};"
            f" passed to an engine: {result.reached_engines}; good requests meanwhile: {len(result.good)},"
            f" of them lost: {failed}; pods that were not ready: {len(result.unready)}; restarts: {result.restarts}"
        )
        with_checks, without = side_by_side(paths, pairs)
        print_head("Gateway", "median", "least", "requests")
        for name, seconds in (("keys and limits", with_checks), ("neither", without)):
            print_median(name, [1000 * second for second in seconds], "ms")
        added = [1000 * (checked - unchecked) for checked, unchecked in zip(with_checks, without, strict=True)]
        print(f"\nadded at the median of the pairs: {statistics.median(added):.2f} ms")


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


def side_by_side(paths: StackPaths, pairs: int) -> tuple[list[float], list[float]]:
    """Seconds of short requests through the Gateway, and through one beside it without filters, taking turns."""
    guarded = reachable(paths)
    with client(paths) as kube:
        key = next(iter(client_keys(kube).values()))
        opened = _second_gateway(kube)
        try:
            other = wait_until(
                lambda: _address_of(paths, opened) or "",
                timeout=_WAIT_SECONDS,
                on_timeout=lambda: TimeoutError("the second Gateway does not listen"),
            )
            checked = Request(guarded, MODEL, "Say hello.", 1, {"x-api-key": key})
            unchecked = replace(checked, address=other)
            turns = [checked if number % 2 else unchecked for number in range(2 * (pairs + 10))]
            samples = ask_in_turn(turns)
        finally:
            _remove(kube, opened)
    bad = [sample for sample in samples if not sample.answered]
    if bad:
        raise RuntimeError(f"{len(bad)} of {len(samples)} requests were not answered: {bad[0]}")
    # The first ones open connections.
    seconds = [sample.seconds for sample in samples[20:]]
    return seconds[1::2], seconds[::2]


def _second_gateway(kube: Kube) -> str:
    """A Gateway with the same routes that no EnvoyFilter selects."""
    [gateway] = kube.list(*_GATEWAY)
    name, namespace = "without-checks", gateway["metadata"]["namespace"]
    spec = {key: gateway["spec"][key] for key in ("gatewayClassName", "listeners")}
    metadata = {"name": name, "namespace": namespace}
    kube.apply({"apiVersion": _GATEWAY[0], "kind": _GATEWAY[1], "metadata": metadata, "spec": spec}, force=True)
    for route in kube.list(*_ROUTE):
        if route["metadata"]["name"].startswith(name):
            continue
        copy = {
            "apiVersion": _ROUTE[0],
            "kind": _ROUTE[1],
            "metadata": {"name": f"{name}-{route['metadata']['name']}", "namespace": namespace},
            "spec": {**route["spec"], "parentRefs": [{"name": name}]},
        }
        kube.apply(copy, force=True)
    return name


def _remove(kube: Kube, name: str) -> None:
    for version, kind in (_ROUTE, _GATEWAY):
        for item in kube.list(version, kind):
            metadata = item["metadata"]
            if metadata["name"].startswith(name):
                kube.delete(version, kind, metadata["name"], metadata["namespace"])


def _address_of(paths: StackPaths, name: str) -> str | None:
    listening = json.loads((paths.envoy / "gateways.json").read_text(encoding="utf-8"))
    for key, gateway in listening.items():
        if key.endswith(f"/{name}"):
            [port] = gateway["ports"].values()
            return f"http://{gateway['address']}" + ("" if port == 80 else f":{port}")
    return None
