"""Startup, readiness and liveness probes, and the HTTP, TCP and gRPC health checks that load balancers share."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Literal

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from llm_d_gke.kube import Manifest

Kind = Literal["startup", "readiness", "liveness"]

# Longest period of a probe in seconds, so that a local run starts quickly.
LONGEST_PERIOD = 1.0

# Shortest timeout of a probe in seconds: this machine may be busy.
SHORTEST_TIMEOUT = 3.0

# Longest start-up budget (failureThreshold x periodSeconds) in seconds of a program that starts at once.
SHORTEST_BUDGET = 60.0

Port = int | str


@dataclass
class Probe:
    """One probe of one container and its results. `outcome` is None until a threshold was reached."""

    kind: Kind
    spec: Manifest
    ports: Mapping[int, int]
    named: Mapping[str, int]
    start_budget: float = SHORTEST_BUDGET
    began: float = field(default_factory=time.monotonic)
    outcome: bool | None = None
    failures: int = 0
    successes: int = 0
    message: str = ""
    _next: float = 0.0
    _busy: bool = False

    def __post_init__(self) -> None:
        # Only the initial delay of a liveness probe matters: it keeps a starting container alive.
        delay = float(self.spec.get("initialDelaySeconds") or 0) if self.kind == "liveness" else 0.0
        self._next = self.began + delay

    @property
    def period(self) -> float:
        # Probed more often until the first success, so that a local run starts quickly.
        usual = min(float(self.spec.get("periodSeconds") or 10), LONGEST_PERIOD)
        return usual if self.outcome else min(usual, 0.3) if self.kind != "liveness" else usual

    @property
    def exhausted(self) -> bool:
        """Whether a failing startup or liveness probe must end its container."""
        threshold = int(self.spec.get("failureThreshold") or 3)
        if self.kind == "readiness" or self.failures < threshold:
            return False
        if self.kind == "startup":
            budget = threshold * float(self.spec.get("periodSeconds") or 10)
            return time.monotonic() - self.began > min(budget, self.start_budget)
        return True

    def due(self, now: float) -> bool:
        return not self._busy and now >= self._next

    def launch(self, pool: Executor, changed: Callable[[], None]) -> None:
        """Run it once in the background and call `changed` when its outcome changed."""
        self._busy = True

        def run() -> None:
            before = (self.outcome, self.exhausted)
            try:
                failure = check(self.spec, self.ports, self.named)
            except Exception as error:
                failure = str(error) or type(error).__name__
            self._record(failure)
            self._next = time.monotonic() + self.period
            self._busy = False
            if before != (self.outcome, self.exhausted):
                changed()

        pool.submit(run)

    def _record(self, failure: str | None) -> None:
        if failure is None:
            self.successes, self.failures = self.successes + 1, 0
            if self.successes >= int(self.spec.get("successThreshold") or 1):
                self.outcome = True
            return
        self.message = failure
        self.successes, self.failures = 0, self.failures + 1
        if self.failures >= int(self.spec.get("failureThreshold") or 3):
            self.outcome = False


def check(spec: Manifest, ports: Mapping[int, int], named: Mapping[str, int]) -> str | None:
    """Run a probe once. Returns None on success, else the kubelet's message.

    `ports` maps ports of the pod to those of the process, `named` the container's port names to ports of the pod.
    """
    timeout = max(float(spec.get("timeoutSeconds") or 1), SHORTEST_TIMEOUT)
    if "httpGet" in spec:
        return _http(spec["httpGet"], ports, named, timeout)
    if "tcpSocket" in spec:
        return tcp("127.0.0.1", _process_port(spec["tcpSocket"]["port"], ports, named), timeout)
    if "grpc" in spec:
        port = _process_port(spec["grpc"]["port"], ports, named)
        return grpc_health("127.0.0.1", port, spec["grpc"].get("service") or "", timeout)
    return None  # exec probes always succeed, see PodWorker


def _process_port(port: Port, ports: Mapping[int, int], named: Mapping[str, int]) -> int:
    requested = named.get(str(port)) if isinstance(port, str) and not port.isdigit() else int(port)
    if requested is None:
        raise ConnectionError(f"no port named {port}")
    if requested not in ports:
        raise ConnectionError(f"dial tcp :{requested}: connect: connection refused")
    return ports[requested]


def _http(action: Manifest, ports: Mapping[int, int], named: Mapping[str, int], timeout: float) -> str | None:
    headers = {header["name"]: header["value"] for header in action.get("httpHeaders") or []}
    status, failure = http_get(
        "127.0.0.1",
        _process_port(action["port"], ports, named),
        action.get("path") or "/",
        tls=action.get("scheme") == "HTTPS",
        headers={"User-Agent": "kube-probe"} | headers,
        timeout=timeout,
    )
    return failure or (None if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}")


def http_get(
    host: str, port: int, path: str, *, tls: bool, headers: Mapping[str, str], timeout: float
) -> tuple[int, str | None]:
    """Returns (status code, None), or (0, why there was no answer)."""
    connection: http.client.HTTPConnection
    if tls:
        # Neither kubelets nor load balancers verify the certificate in a health check.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, f"Get {host}:{port}{path}: {error}"
    else:
        return answer.status, None
    finally:
        connection.close()


def tcp(host: str, port: int, timeout: float) -> str | None:
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return None
    except OSError as error:
        return f"dial tcp {host}:{port}: {error}"


def grpc_health(host: str, port: int, service: str, timeout: float) -> str | None:
    with grpc.insecure_channel(f"{host}:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            request = health_pb2.HealthCheckRequest(service=service)
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout)
        except grpc.RpcError as error:
            return f"service unhealthy (responded with {error.code().name})"
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return None if serving else f"service unhealthy (responded with {answer.status})"
