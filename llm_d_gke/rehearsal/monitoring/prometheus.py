"""The Prometheus of a stack: its process, its configuration and its address."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.paths import StackPaths

log = logging.getLogger(__name__)

NAME = "prometheus"
PORT = 9090

_RESTART_SECONDS = 5.0


def address(block: int) -> tuple[str, int]:
    """Host and port of a stack's Prometheus, on a loopback address that no pod has."""
    return f"127.{block}.0.3", PORT


class Prometheus:
    """`reconcile` keeps the process running with the given configuration."""

    def __init__(self, paths: StackPaths, executable: Callable[[], Path]) -> None:
        self._paths = paths
        self._executable = executable
        self._text = ""
        self._restarts = processes.Restarts(paths, NAME, paths.logs / "prometheus.log", _RESTART_SECONDS)

    def reconcile(self, configuration: dict[str, Any], block: int) -> None:
        """Write a changed configuration and start the process, or have it read the change."""
        file = self._paths.prometheus / "prometheus.yaml"
        text = yaml.safe_dump(configuration, sort_keys=False)
        changed = text != self._text
        if changed:
            atomic_write(file, text)
            # It holds the token with which pickers show their metrics.
            file.chmod(0o600)
            self._text = text
        running = processes.find(self._paths, NAME)
        if running is not None and running.alive:
            if changed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGHUP)
            return
        if not self._restarts.due():
            return
        host, port = address(block)
        command = [
            str(self._executable()),
            f"--config.file={file}",
            f"--storage.tsdb.path={self._paths.prometheus / 'data'}",
            "--storage.tsdb.retention.time=1d",
            f"--web.listen-address={host}:{port}",
            "--log.level=warn",
        ]
        log.info("starting Prometheus at http://%s:%d", host, port)
        # Without its environment's proxy: its targets are on this machine.
        environment = {key: os.environ[key] for key in ("HOME", "PATH", "TMPDIR") if key in os.environ}
        processes.start(self._paths, NAME, command, env=environment | {"GOGC": "50"}, log=self._restarts.log)

    def stop(self) -> None:
        if processes.find(self._paths, NAME) is not None:
            processes.stop(self._paths, NAME, grace=2.0)
