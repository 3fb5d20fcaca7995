"""The load balancer's health checks. Only endpoints that pass them get requests.

Envoy's own active health checks do not work here: the policy that follows the endpoint picker ignores them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from llm_d_gke.rehearsal.load_balancer.envoy_config import Endpoint
from llm_d_gke.rehearsal.node_agent import probes

# Seconds between checks of an endpoint, before and after it was found healthy; GKE's own default is 15 s.
EAGER = 0.2
STEADY = 1.0

TIMEOUT = 3.0


@dataclass(frozen=True)
class HealthCheck:
    """A health check. `port` None is the serving port. The thresholds are numbers of consecutive answers."""

    kind: str = "HTTP"
    path: str = "/"
    port: int | None = None
    service: str = ""
    host: str = ""
    healthy: int = 1
    unhealthy: int = 2


@dataclass
class _State:
    healthy: bool = False
    streak: int = 0
    due: float = 0.0
    busy: bool = False
    is_current: bool = True


class HealthChecks:
    """Checks endpoints. Call `begin`, `healthy` for every endpoint in use, and `end`; `reconcile` runs due checks."""

    def __init__(self, executor: Executor, changed: Callable[[], None]) -> None:
        self._executor = executor
        self._changed = changed
        self._states: dict[tuple[HealthCheck, Endpoint], _State] = {}
        self._processes: Mapping[Endpoint, int] = {}

    def begin(self, processes: Mapping[Endpoint, int]) -> None:
        """Start a round. `processes` are the ports of this machine by endpoint.

        The processes are checked themselves, because Envoy's forwarding accepts connections even when they do not.
        """
        self._processes = processes
        for state in self._states.values():
            state.is_current = False

    def healthy(self, check: HealthCheck, endpoint: Endpoint) -> bool:
        """The last result. An endpoint is unhealthy until it has passed a check."""
        state = self._states.setdefault((check, endpoint), _State())
        state.is_current = True
        return state.healthy

    def unhealthy(self) -> set[str]:
        """Addresses of the endpoints in use that have not passed their check."""
        return {endpoint[0] for (_, endpoint), state in self._states.items() if state.is_current and not state.healthy}

    def end(self) -> None:
        self._states = {key: state for key, state in self._states.items() if state.is_current}

    def reconcile(self) -> None:
        moment = time.monotonic()
        for (check, endpoint), state in self._states.items():
            if not state.busy and moment >= state.due:
                state.busy = True
                self._executor.submit(self._run, check, endpoint, state)

    def _run(self, check: HealthCheck, endpoint: Endpoint, state: _State) -> None:
        try:
            passed = ask(check, endpoint, self._processes) is None
        except Exception:
            passed = False
        if passed == state.healthy:
            state.streak = 0
        else:
            state.streak += 1
            if state.streak >= (check.healthy if passed else check.unhealthy):
                state.healthy, state.streak = passed, 0
                self._changed()
        state.due = time.monotonic() + (STEADY if state.healthy and not state.streak else EAGER)
        state.busy = False


def ask(check: HealthCheck, endpoint: Endpoint, processes: Mapping[Endpoint, int]) -> str | None:
    """Run one check. Returns None, or why the endpoint is unhealthy. Google's HTTP checks require status 200."""
    requested = (endpoint[0], check.port or endpoint[1])
    if requested not in processes:
        return f"dial tcp {requested[0]}:{requested[1]}: connect: connection refused"
    host, port = "127.0.0.1", processes[requested]
    if check.kind == "TCP":
        return probes.tcp(host, port, TIMEOUT)
    if check.kind == "GRPC":
        return probes.grpc_health(host, port, check.service, TIMEOUT)
    headers = {"User-Agent": "GoogleHC/1.0"} | ({"Host": check.host} if check.host else {})
    status, failure = probes.http_get(
        host, port, check.path, tls=check.kind in ("HTTPS", "HTTP2"), headers=headers, timeout=TIMEOUT
    )
    return failure or (None if status == 200 else f"answered {status}")
