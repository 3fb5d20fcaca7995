"""Takes a cluster out of its fleet's Gateway before the cluster's stack is destroyed, so that no request is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import httpx

from llm_d_gke.google_types import EXPORT_ANNOTATION, FLEET_FEATURE, FLEET_GUARD
from llm_d_gke.kube import Kube, KubeError, Manifest, NotFound
from llm_d_gke.metrics_text import total
from llm_d_gke.pending_creates import Engine
from llm_d_gke.waiting import happens_within

_POOL: Final = ("inference.networking.k8s.io/v1", "InferencePool")
_GATEWAY: Final = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
_SERVED: Final = "vllm:request_prompt_tokens_count"
_IN_FLIGHT: Final = ("vllm:num_requests_running", "vllm:num_requests_waiting")
DESPITE_MEMBERS: Final = "--despite-members"
Pool = tuple[str, str]
# The host and port under which a port of a pod is reached from here.
Address = Callable[[Manifest, int], str]


def exported_pools(deployment: Mapping[str, Any]) -> list[Pool]:
    """Namespace and name of the pools that a fleet's member exports, by its state (`deployment` of an exported stack).

    Empty for the config cluster: its Gateway is deleted with it.
    """
    resources = deployment.get("resources") or ()
    if any(resource["type"] == _GATEWAY for resource in resources):
        return []
    described = [
        (resource.get("inputs") or {}).get("metadata") or {}
        for resource in resources
        if resource["type"] == f"kubernetes:{_POOL[0]}:{_POOL[1]}"
    ]
    return [
        (str(metadata["namespace"]), str(metadata["name"]))
        for metadata in described
        if (metadata.get("annotations") or {}).get(EXPORT_ANNOTATION) == "True"
    ]


def unprotect(engine: Engine) -> None:
    """Let a destroy delete what serves a member's requests, which the guard keeps while the pool is exported."""
    state = engine.export()
    guards = [
        resource
        for resource in state["deployment"].get("resources") or ()
        if resource.get("protect") and (resource.get("inputs") or {}).get("metadata", {}).get("name") == FLEET_GUARD
    ]
    for guard in guards:
        guard["protect"] = False
    if guards:
        engine.restore(state)


def holds_gateway(deployment: Mapping[str, Any]) -> bool:
    """Whether the stack, by its state, is the config cluster of a fleet."""
    return any(resource["type"] == FLEET_FEATURE for resource in deployment.get("resources") or ())


def refusal(stack: str, members: Sequence[str], command: str) -> str:
    """Why the config cluster is not destroyed. `command` destroys a stack."""
    return (
        f"{stack} holds the Gateway of its fleet, in which other clusters still are ({', '.join(members)}): without it"
        f" no request comes to them, and a cluster in the network of {stack} keeps the network from being"
        f" deleted. First {command} STACK={members[0]}. ARGS={DESPITE_MEMBERS} destroys it all the same"
    )


def leave_fleet(
    kube: Kube, pools: Sequence[Pool], address: Address, report: Callable[[str], None], *, quiet: float, patience: float
) -> None:
    """Stop exporting the pools, and wait until their servers have had no request for `quiet` seconds.

    Reports why the cluster cannot leave, or that requests still come after `patience` seconds, and returns: the destroy
    goes on.
    """
    report("the cluster leaves its fleet: waiting until the Gateway sends it no more requests")
    try:
        servers = [server for pool in pools for server in _leave(kube, *pool)]
    except KubeError as reason:
        report(f"the cluster could not leave its fleet, so requests are lost: {reason}")
        return
    served_before, changed = -1.0, 0.0

    def is_quiet() -> bool:
        nonlocal served_before, changed
        served, in_flight = _load(servers, address)
        if in_flight or served != served_before:
            served_before, changed = served, time.monotonic()
        return time.monotonic() - changed >= quiet

    if not happens_within(patience, is_quiet, pause=0.5):
        report(f"requests still come {patience:.0f} s later: they will be lost")


def _leave(kube: Kube, namespace: str, name: str) -> list[tuple[Manifest, int]]:
    """Stop exporting a pool. Returns its model servers that have an address, each with each of its ports."""
    try:
        without = {"metadata": {"annotations": {EXPORT_ANNOTATION: None}}}
        spec = kube.patch(*_POOL, name, without, namespace)["spec"]
    except NotFound:
        return []
    labels = ",".join(f"{key}={value}" for key, value in spec["selector"]["matchLabels"].items())
    pods = [pod for pod in kube.list("v1", "Pod", namespace, labels=labels) if (pod.get("status") or {}).get("podIP")]
    return [(pod, int(port["number"])) for pod in pods for port in spec["targetPorts"]]


def _load(servers: Sequence[tuple[Manifest, int]], address: Address) -> tuple[float, float]:
    """Requests that the servers have computed since their start, and requests in flight.

    A server that does not answer has none.
    """
    served = in_flight = 0.0
    with httpx.Client(verify=False, timeout=10.0, trust_env=False) as client:  # noqa: S501 - numbers of requests
        for pod, port in servers:
            with suppress(httpx.HTTPError, KubeError):
                metrics = client.get(f"{_scheme(pod)}://{address(pod, port)}/metrics").text
                served += total(metrics, _SERVED)
                in_flight += sum(total(metrics, name) for name in _IN_FLIGHT)
    return served, in_flight


def _scheme(pod: Manifest) -> str:
    probes = (container.get("readinessProbe") or {} for container in pod["spec"]["containers"])
    schemes = (str((probe.get("httpGet") or {}).get("scheme", "")) for probe in probes)
    return "https" if "HTTPS" in schemes else "http"
