"""Prints the logs of a stack's pods, or the commands that do so on GKE."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rehearsal.errors import RehearsalError
from rehearsal.paths import StackPaths

_POLL_SECONDS = 0.5


def print_logs(paths: StackPaths, pod: str | None, *, follow: bool, gke_commands: Callable[[], str]) -> None:
    """Print the logs of pods whose name begins with `pod`; with `follow` wait for more until interrupted.

    A stack that is not up here gets `gke_commands` instead. Raises RehearsalError where no pod has this name.
    """
    if not paths.pod_logs.exists():
        print(f"stack {paths.stack} is not up on this machine. On GKE:\n{gke_commands()}")
        return
    positions: dict[Path, int] = {}
    while True:
        files = [path for path in sorted(paths.pod_logs.glob("*.log")) if pod is None or path.name.startswith(pod)]
        if not files and not positions:
            names = ", ".join(sorted(path.stem for path in paths.pod_logs.glob("*.log"))) or "none yet"
            raise RehearsalError(f"stack {paths.stack} has no pod {pod!r}. Pods with logs: {names}")
        for line in _new_lines(files, positions):
            print(line, flush=True)
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _new_lines(files: list[Path], positions: dict[Path, int]) -> Iterator[str]:
    """Whole lines that were appended since the last call, with the pod in front where there are several."""
    for path in files:
        with path.open("rb") as file:
            file.seek(positions.get(path, 0))
            data = file.read()
        end = data.rfind(b"\n") + 1
        positions[path] = positions.get(path, 0) + end
        prefix = f"{path.stem}  " if len(files) > 1 else ""
        for line in data[:end].decode(errors="replace").splitlines():
            yield prefix + line
