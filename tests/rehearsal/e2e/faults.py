"""Faults of a rehearsed stack under 20 requests a second, every fourth a stream: what is lost, and when.

Each fault has a window that a condition ends, not a number of seconds. Requests that fail outside of it are counted.
"""

from __future__ import annotations

import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx
import trustme

from llm_d_gke.kube import ApiError, Kube, KubeError
from llm_d_gke.operations.verify.checks.gateway import presented_certificate
from llm_d_gke.planning.routing.edge import KEYS_ENTRY, KEYS_SECRET
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.lifecycle import resume
from llm_d_gke.rehearsal.terminal.status import reachable

from .live import (
    ENGINES,
    PICKERS,
    client_keys,
    fill_disk,
    kill_process,
    options,
    pods,
    ready_pods,
    restarts,
    secret,
    wait_for,
)
from .project import proxied
from .traffic import Request, Sample, Steady

STACK = "prefix-cache-gpu"
# Gated, so that its servers read a token.
MODEL = "google/gemma-2b-it"
_HOST = "llm.example.com"
# The stack of the example with HTTPS, keys, and a node to spare.
CHANGES = options(
    (
        "gateway.implementation=istio",
        "gateway.exposure=internal",
        "gateway.auth.kind=api-keys",
        "gateway.tls.kind=cert-manager",
        f"gateway.hostname={_HOST}",
        f"models[0].id={MODEL}",
    )
)
_RATE, _STREAMS = 20.0, 4


@dataclass(frozen=True)
class Outcome:
    """Requests of one fault. `window` is in seconds, from the fault to the condition that ends it."""

    name: str
    ends: str
    window: float
    requests: int
    failed: int
    outside: int
    # Seconds from the fault to the end of the last request that was lost.
    last: float


@dataclass
class StackUnderLoad:
    """A running stack under load. Faults act on it."""

    paths: StackPaths
    kube: Kube
    load: Steady
    request: Request

    def status_of(self, key: str) -> int:
        headers = {**self.request.headers, "x-api-key": key}
        url = f"{self.request.address}/v1/models"
        return httpx.get(url, headers=headers, timeout=10.0, trust_env=False, verify=False).status_code  # noqa: S501

    def serves_again(self) -> None:
        self.load.await_answers(10, since=time.monotonic())

    def write(self, name: str, data: dict[str, bytes]) -> None:
        """Replace entries of a Secret."""
        body = {"data": {key: b64encode(value).decode() for key, value in data.items()}}
        self.kube.patch("v1", "Secret", name, body, secret(self.kube, name)["metadata"]["namespace"])

    def certificate(self) -> bytes:
        """The certificate that a new connection to the Gateway gets, in DER."""
        url = urlsplit(self.request.address)
        return presented_certificate((url.hostname or "", url.port or 443), _HOST)


def _engine(stack: StackUnderLoad) -> str:
    victim = pods(stack.kube, ENGINES)[0]
    name, before = victim["metadata"]["name"], restarts(stack.kube, ENGINES)
    address = victim["status"]["podIP"]
    kill_process(stack.paths, name)

    def noticed() -> bool:
        back = restarts(stack.kube, ENGINES) > before and name in ready_pods(stack.kube, ENGINES)
        return back or address not in proxied(stack.paths)

    wait_for(noticed)
    return "the load balancer has removed its end point"


def _picker(stack: StackUnderLoad) -> str:
    [picker] = ready_pods(stack.kube, PICKERS)
    before = restarts(stack.kube, PICKERS)
    kill_process(stack.paths, picker)
    wait_for(lambda: restarts(stack.kube, PICKERS) > before and picker in ready_pods(stack.kube, PICKERS))
    stack.serves_again()
    return "it has started again and the Gateway has connected to it"


def _proxy(stack: StackUnderLoad) -> str:
    kill_process(stack.paths, "envoy")
    wait_for(lambda: _listens(stack))
    stack.serves_again()
    return "it has started again"


def _listens(stack: StackUnderLoad) -> bool:
    try:
        return bool(proxied(stack.paths)) and stack.status_of(stack.request.headers["x-api-key"]) == httpx.codes.OK
    except (httpx.HTTPError, ValueError):
        return False


def _controller_manager(stack: StackUnderLoad) -> str:
    kill_process(stack.paths, "kube-controller-manager")
    resume(stack.paths, lambda _: None)
    return "it has started again"


def _api_server(stack: StackUnderLoad) -> str:
    kill_process(stack.paths, "kube-apiserver")
    # Requests need no API server.
    stack.load.await_answers(40, since=time.monotonic())
    resume(stack.paths, lambda _: None)
    wait_for(lambda: _serves(stack.kube))
    return "it answers again"


def _serves(kube: Kube) -> bool:
    try:
        return bool(kube.ready())
    except KubeError:
        return False


def _drain(stack: StackUnderLoad) -> str:
    victim = pods(stack.kube, ENGINES)[0]
    node, count = victim["spec"]["nodeName"], len(ready_pods(stack.kube, ENGINES))
    metadata = {"name": victim["metadata"]["name"], "namespace": victim["metadata"]["namespace"]}
    stack.kube.patch("v1", "Node", node, {"spec": {"unschedulable": True}})
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}

    def evicted() -> bool:
        try:
            stack.kube.request("POST", path, body=eviction)
        except ApiError:
            return False
        return True

    wait_for(evicted)
    wait_for(lambda: stack.kube.find("v1", "Pod", metadata["name"], metadata["namespace"]) is None)
    wait_for(lambda: len(ready_pods(stack.kube, ENGINES)) == count)
    stack.kube.patch("v1", "Node", node, {"spec": {"unschedulable": False}})
    return "its replica runs on another node"


def _disk(stack: StackUnderLoad) -> str:
    victim, count = pods(stack.kube, ENGINES)[0], len(ready_pods(stack.kube, ENGINES))
    fill_disk(stack.paths, victim)
    wait_for(lambda: victim["metadata"]["name"] not in ready_pods(stack.kube, ENGINES))
    wait_for(lambda: len(ready_pods(stack.kube, ENGINES)) == count)
    return "it is evicted, and another pod has taken its place"


def _keys(stack: StackUnderLoad) -> str:
    """A new key is added, clients change to it, and the old one is removed."""
    name, old = next(iter(client_keys(stack.kube).items()))
    client_name, new = name.partition(".")[0], "a-new-key-of-the-same-client"
    stack.write(KEYS_SECRET, {KEYS_ENTRY: f"{client_name}.old {old}\n{client_name}.new {new}\n".encode()})
    wait_for(lambda: stack.status_of(new) == httpx.codes.OK)
    stack.request = replace(stack.request, headers={**stack.request.headers, "x-api-key": new})
    stack.load.change(stack.request)
    stack.serves_again()
    stack.write(KEYS_SECRET, {KEYS_ENTRY: f"{client_name}.new {new}\n".encode()})
    wait_for(lambda: stack.status_of(old) == httpx.codes.FORBIDDEN)
    return "the old key is refused"


def _token(stack: StackUnderLoad) -> str:
    name = "huggingface-token"
    entries = dict.fromkeys(secret(stack.kube, name).get("data") or {}, b"hf_another_stand_in")
    stack.write(name, entries)
    return "servers read it when they start"


def _certificate(stack: StackUnderLoad) -> str:
    authority = trustme.CA()
    issued = authority.issue_cert(_HOST)
    [gateway] = stack.kube.list("gateway.networking.k8s.io/v1", "Gateway")
    name = gateway["spec"]["listeners"][0]["tls"]["certificateRefs"][0]["name"]
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    stack.write(name, {"tls.crt": chain, "tls.key": issued.private_key_pem.bytes()})
    issued_der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    wait_for(lambda: stack.certificate() == issued_der)
    return "new connections get it"


FAULTS: dict[str, Callable[[StackUnderLoad], str]] = {
    "an engine of three is killed": _engine,
    "the picker is killed, `failureMode: close`": _picker,
    "the Gateway's only proxy is killed": _proxy,
    "the controller manager is killed": _controller_manager,
    "the API server is killed, and restarted after 2 s": _api_server,
    "a node with an engine is drained": _drain,
    "an engine fills its disk": _disk,
    "API keys: one added, clients change, one removed": _keys,
    "the Hub token is replaced": _token,
    "the certificate is replaced": _certificate,
}


def outcome(name: str, act: Callable[[StackUnderLoad], str], paths: StackPaths) -> Outcome:
    """Load, the fault, the end of its window, and load again."""
    with _load_on(paths) as stack:
        stack.load.await_answers(40)
        began = time.monotonic()
        ends = act(stack)
        ended = time.monotonic()
        stack.load.await_answers(40, since=ended)
    failed: list[Sample] = stack.load.unanswered
    outside = [sample for sample in failed if sample.ended < began or sample.began > ended]
    return Outcome(
        name=name,
        ends=ends,
        window=ended - began,
        requests=len(stack.load.samples),
        failed=len(failed),
        outside=len(outside),
        last=max((sample.ended - began for sample in failed), default=0.0),
    )


@contextmanager
def _load_on(paths: StackPaths) -> Iterator[StackUnderLoad]:
    """Requests with the key that is valid now."""
    with client(paths) as kube:
        headers = {"x-api-key": next(iter(client_keys(kube).values())), "Host": _HOST}
        request = Request(reachable(paths), MODEL, "is the number.", 16, headers, trusted=False)
        with Steady(request, _RATE, streams=_STREAMS) as load:
            yield StackUnderLoad(paths, kube, load, request)


def cells(result: Outcome) -> tuple[object, ...]:
    last = f"{result.last:.1f} s" if result.failed else "-"
    return result.name, result.ends, f"{result.window:.1f} s", result.requests, result.failed, last, result.outside
