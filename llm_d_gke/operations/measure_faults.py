"""Faults of a rehearsed stack under 20 requests a second, every fourth a stream: what is lost, and when.

Each fault has a window that a condition ends, not a number of seconds. Requests that fail outside of it are counted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import httpx
import trustme

from llm_d_gke.operations.measure_edge import admin, key_lines
from llm_d_gke.operations.traffic import Request, Sample, Steady
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.host.waiting import wait_until
from llm_d_gke.rehearsal.kube import ApiError, Kube, KubeError, Manifest, client
from llm_d_gke.rehearsal.kube.conditions import is_true
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.lifecycle import resume
from llm_d_gke.rehearsal.terminal.endpoint import reachable
from llm_d_gke.stackfile import PROJECT_ROOT

STACK = "prefix-cache-gpu"
MODEL = "Qwen/Qwen2.5-3B-Instruct"
_HOST = "llm.example.com"
_ENGINES, _PICKERS = "llm-d.ai/inference-serving=true", "app.kubernetes.io/name=endpoint-picker"
# The stack of the example with HTTPS, keys, and a node to spare.
CHANGES = tuple(
    word
    for change in (
        "gateway.implementation=istio",
        "gateway.exposure=internal",
        "gateway.auth.kind=api-keys",
        "gateway.tls.kind=cert-manager",
        f"gateway.hostname={_HOST}",
    )
    for word in ("-c", f"llm-d:{change}")
)
_RATE, _STREAMS = 20.0, 4
_WAIT_SECONDS = 120.0


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
class Scene:
    """A running stack under load. Faults act on it."""

    paths: StackPaths
    kube: Kube
    load: Steady
    request: Request

    # -- what there is

    def pods(self, labels: str) -> list[Manifest]:
        pods = self.kube.list("v1", "Pod", labels=labels)
        return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]

    def ready(self, labels: str) -> set[str]:
        return {pod["metadata"]["name"] for pod in self.pods(labels) if is_true(pod, "Ready")}

    def restarts(self, labels: str) -> int:
        return sum(
            status.get("restartCount", 0)
            for pod in self.pods(labels)
            for status in pod["status"].get("containerStatuses") or []
        )

    def proxied(self) -> set[str]:
        """Addresses to which Envoy sends requests."""
        clusters = admin(self.paths, "/clusters?format=json")["cluster_statuses"]
        return {
            host["address"]["socket_address"]["address"]
            for cluster in clusters
            for host in cluster.get("host_statuses") or []
        }

    def status_of(self, key: str) -> int:
        headers = {**self.request.headers, "x-api-key": key}
        url = f"{self.request.address}/v1/models"
        return httpx.get(url, headers=headers, timeout=10.0, trust_env=False, verify=False).status_code  # noqa: S501

    def answered_again(self) -> bool:
        since = time.monotonic()
        return happened(lambda: len(self.load.answers(since)) >= 10, _WAIT_SECONDS)

    # -- what happens

    def kill(self, part: str) -> None:
        [process] = [process for process in processes.listing(self.paths) if part in process.name and process.alive]
        os.kill(process.pid, signal.SIGKILL)

    def secret(self, name: str) -> Manifest:
        [secret] = [item for item in self.kube.list("v1", "Secret") if item["metadata"]["name"] == name]
        return secret

    def write(self, name: str, data: dict[str, bytes]) -> None:
        metadata = self.secret(name)["metadata"]
        body = {"data": {key: b64encode(value).decode() for key, value in data.items()}}
        self.kube.patch("v1", "Secret", name, body, metadata["namespace"])


def happened(condition: Callable[[], bool], seconds: float = _WAIT_SECONDS) -> bool:
    """Wait for a condition. Raises TimeoutError when it does not come."""
    return wait_until(
        condition,
        timeout=seconds,
        on_timeout=lambda: TimeoutError(f"not within {seconds:.0f} s"),
        longest_pause=0.1,
    )


def _engine(scene: Scene) -> str:
    [victim, *_] = sorted(scene.pods(_ENGINES), key=lambda pod: str(pod["metadata"]["name"]))
    name, before = victim["metadata"]["name"], scene.restarts(_ENGINES)
    address = victim["status"]["podIP"]
    scene.kill(name)

    def noticed() -> bool:
        back = scene.restarts(_ENGINES) > before and name in scene.ready(_ENGINES)
        return back or address not in scene.proxied()

    happened(noticed)
    return "the load balancer has removed its end point"


def _picker(scene: Scene) -> str:
    [picker] = scene.ready(_PICKERS)
    before = scene.restarts(_PICKERS)
    scene.kill(picker)
    happened(lambda: scene.restarts(_PICKERS) > before and picker in scene.ready(_PICKERS))
    scene.answered_again()
    return "it has started again and the Gateway has connected to it"


def _proxy(scene: Scene) -> str:
    scene.kill("envoy")
    happened(lambda: _listens(scene))
    scene.answered_again()
    return "it has started again; a second proxy of Istio's would answer new connections"


def _listens(scene: Scene) -> bool:
    try:
        return bool(scene.proxied()) and scene.status_of(scene.request.headers["x-api-key"]) == httpx.codes.OK
    except (httpx.HTTPError, ValueError):
        return False


def _controller_manager(scene: Scene) -> str:
    scene.kill("kube-controller-manager")
    resume(scene.paths, lambda _: None)
    return "it has started again"


def _api_server(scene: Scene) -> str:
    scene.kill("kube-apiserver")
    time.sleep(2.0)  # it is away for a while
    resume(scene.paths, lambda _: None)
    happened(lambda: _serves(scene.kube))
    return "it has started again"


def _serves(kube: Kube) -> bool:
    try:
        return bool(kube.ready())
    except KubeError:
        return False


def _drain(scene: Scene) -> str:
    [victim, *_] = sorted(scene.pods(_ENGINES), key=lambda pod: str(pod["metadata"]["name"]))
    node, count = victim["spec"]["nodeName"], len(scene.ready(_ENGINES))
    metadata = {"name": victim["metadata"]["name"], "namespace": victim["metadata"]["namespace"]}
    scene.kube.patch("v1", "Node", node, {"spec": {"unschedulable": True}})
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction"
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}

    def evicted() -> bool:
        try:
            scene.kube.request("POST", path, body=eviction)
        except ApiError:
            return False
        return True

    happened(evicted)
    happened(lambda: scene.kube.find("v1", "Pod", metadata["name"], metadata["namespace"]) is None)
    happened(lambda: len(scene.ready(_ENGINES)) == count)
    scene.kube.patch("v1", "Node", node, {"spec": {"unschedulable": False}})
    return "its replica runs on another node"


def _keys(scene: Scene) -> str:
    """A new key is added, clients change to it, and the old one is removed."""
    lines = key_lines(scene.kube)
    old, new = lines[0][1], "a-new-key-of-the-same-client"
    client_name = lines[0][0].split(".")[0]
    scene.write("inference-api-keys", {"api-keys": f"{client_name}.old {old}\n{client_name}.new {new}\n".encode()})
    happened(lambda: scene.status_of(new) == httpx.codes.OK)
    scene.request = replace(scene.request, headers={**scene.request.headers, "x-api-key": new})
    scene.load.change(scene.request)
    scene.answered_again()
    scene.write("inference-api-keys", {"api-keys": f"{client_name}.new {new}\n".encode()})
    happened(lambda: scene.status_of(old) == httpx.codes.FORBIDDEN)
    return "the old key is refused"


def _token(scene: Scene) -> str:
    name = "huggingface-token"
    entries = dict.fromkeys(scene.secret(name).get("data") or {}, b"hf_another_stand_in")
    scene.write(name, entries)
    return "servers read it when they start"


def _certificate(scene: Scene) -> str:
    authority = trustme.CA()
    issued = authority.issue_cert(_HOST)
    [gateway] = scene.kube.list("gateway.networking.k8s.io/v1", "Gateway")
    name = gateway["spec"]["listeners"][0]["tls"]["certificateRefs"][0]["name"]
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    scene.write(name, {"tls.crt": chain, "tls.key": issued.private_key_pem.bytes()})
    time.sleep(6.0)  # the load balancer reads Secrets every five seconds
    return "new connections get it"


FAULTS: dict[str, Callable[[Scene], str]] = {
    "an engine of three is killed": _engine,
    "the picker is killed, failureMode: close": _picker,
    "the Gateway's only proxy is killed": _proxy,
    "the controller manager is killed": _controller_manager,
    "the API server is killed and restarted": _api_server,
    "a node with an engine is drained": _drain,
    "API keys are rotated": _keys,
    "the Hub token is rotated": _token,
    "the certificate is replaced": _certificate,
}


def faults() -> None:
    """Each fault in turn on one running stack."""
    rehearse("up", *CHANGES)
    try:
        print("\n| fault | window ends when | window | requests | lost | last lost after | lost outside |")
        print("|---|---|---|---|---|---|---|")
        with scene_of(StackPaths(STACK)) as make:
            for name, act in FAULTS.items():
                print(row(outcome(name, act, make)), flush=True)
    finally:
        rehearse("down")


def rehearse(command: str, *arguments: str) -> None:
    argv = [sys.executable, "-m", "llm_d_gke.rehearsal", command, STACK, *arguments]
    subprocess.run(argv, cwd=PROJECT_ROOT, check=True, capture_output=True)


@contextmanager
def scene_of(paths: StackPaths) -> Iterator[Callable[[], tuple[Scene, ExitStack]]]:
    """A function that starts the load again, with the key that is valid then."""
    with client(paths) as kube:

        def make() -> tuple[Scene, ExitStack]:
            headers = {"x-api-key": key_lines(kube)[0][1], "Host": _HOST}
            request = Request(reachable(paths), MODEL, "is the number.", 16, headers, trusted=False)
            running = ExitStack()
            load = running.enter_context(Steady(request, _RATE, streams=_STREAMS))
            return Scene(paths, kube, load, request), running

        yield make


def outcome(name: str, act: Callable[[Scene], str], make: Callable[[], tuple[Scene, ExitStack]]) -> Outcome:
    """Load, the fault, the end of its window, and load again."""
    scene, running = make()
    with running:
        happened(lambda: len(scene.load.answers()) >= 40)
        began = time.monotonic()
        ends = act(scene)
        ended = time.monotonic()
        happened(lambda: len(scene.load.answers(ended)) >= 40)
    failed: list[Sample] = scene.load.unanswered
    outside = [sample for sample in failed if sample.ended < began or sample.began > ended]
    return Outcome(
        name=name,
        ends=ends,
        window=ended - began,
        requests=len(scene.load.samples),
        failed=len(failed),
        outside=len(outside),
        last=max((sample.ended - began for sample in failed), default=0.0),
    )


def row(result: Outcome) -> str:
    last = f"{result.last:.1f} s" if result.failed else "-"
    return (
        f"| {result.name} | {result.ends} | {result.window:.1f} s | {result.requests} | {result.failed} | {last} |"
        f" {result.outside} |"
    )
