"""Reads the logs of a stack's pods."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from llm_d_gke.planning import StackPlan
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.on_gke import not_up_here

_POLL_SECONDS = 0.5
# The most that a model server's pod has: the engine, a side-car, and what copies weights or reads a bucket.
_CONTAINERS = 4


def print_logs(paths: StackPaths, pod: str | None, *, follow: bool, tail: int | None = None) -> None:
    """Print the logs of pods whose name contains `pod`; with `follow` wait for more until interrupted.

    Pods whose name begins so are preferred. `tail` is the number of last lines of each log; None prints all. Raises
    NotUpError, and RehearsalError where no pod has this name.
    """
    if not (paths.is_up and paths.pod_logs.exists()):
        raise not_up_here(paths.stack, lambda plan: _logs_on_gke(plan, pod, tail))
    positions: dict[Path, int] = {}
    while True:
        files = _logs_of(paths, pod)
        if not files and not positions:
            names = sorted({path.stem.split("_")[1] for path in paths.pod_logs.glob("*.log")})
            raise RehearsalError(
                f"no pod of stack {paths.stack} has {pod!r} in its name. Pods with logs:"
                f" {', '.join(names) or 'none yet'}"
                if pod is not None
                else f"no pod of stack {paths.stack} has a log yet"
            )
        first = not positions
        for line in _new_lines(files, positions, tail if first else None):
            print(line, flush=True)
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _logs_on_gke(plan: StackPlan, pod: str | None, tail: int | None) -> Iterator[str]:
    """kubectl's commands: it takes whole names of pods, and follows five logs unless a number is given."""
    logs = f"kubectl logs --namespace {plan.namespace.name} --all-containers --follow"
    if pod is not None:
        yield f"kubectl get pods --namespace {plan.namespace.name} | grep {shlex.quote(pod)}"
        yield f"{logs}{'' if tail is None else f' --tail {tail}'} NAME"
        return
    for server in (server for model in plan.models for server in model.servers):
        labels = ",".join(f"{key}={value}" for key, value in server.selector.items())
        pods = server.most_replicas * (server.group.size if server.group is not None else 1)
        # By labels kubectl prints the last ten lines only, unless a number is given.
        last = -1 if tail is None else tail
        yield f"{logs} --tail {last} --prefix --max-log-requests {pods * _CONTAINERS} --selector {labels}"


def _logs_of(paths: StackPaths, pod: str | None) -> list[Path]:
    """Logs of the pods that `pod` means, of all without it."""
    files = sorted(paths.pod_logs.glob("*.log"))
    if pod is None:
        return files
    # A name copied from `kubectl` or from this program's own lines may have what it belongs to before it.
    name = pod.rpartition("/")[2] if pod.startswith(("pod/", "pods/")) else pod
    return [path for path in files if _is_of(path, name)] or [path for path in files if name in path.stem]


def _is_of(log: Path, pod: str) -> bool:
    """Whether a log belongs to a pod with this name prefix. Files are named namespace_pod_container."""
    return log.name.startswith(pod) or log.name.partition("_")[2].startswith(pod)


def _new_lines(files: list[Path], positions: dict[Path, int], tail: int | None = None) -> Iterator[str]:
    """Whole lines that were appended since the last call, with the pod in front where there are several.

    `tail` is the number of last ones of each log; None yields all.
    """
    names = _short_names(files)
    for path in files:
        with path.open("rb") as file:
            file.seek(positions.get(path, 0))
            data = file.read()
        end = data.rfind(b"\n") + 1
        positions[path] = positions.get(path, 0) + end
        prefix = f"{names[path]}  " if len(files) > 1 else ""
        lines = data[:end].decode(errors="replace").splitlines()
        for line in lines if tail is None else lines[max(0, len(lines) - tail) :]:
            yield prefix + line


def _short_names(files: list[Path]) -> dict[Path, str]:
    """What tells logs apart: the pod; its container and its namespace only where there are several."""
    parts = {path: path.stem.split("_") for path in files}
    pods = Counter(tuple(part[:2]) for part in parts.values())
    several = len({part[0] for part in parts.values()}) > 1
    return {
        path: "/".join(part[0 if several else 1 : None if pods[tuple(part[:2])] > 1 else 2])
        for path, part in parts.items()
    }


def picker_lines(paths: StackPaths, pickers: Iterable[str], log: Path | None, request: str | None = None) -> list[str]:
    """Lines of a log at a given path, `-` for standard input; otherwise of all pods of these pickers.

    `request` is the id that is looked for. Raises NotUpError where no log is named,
    and RehearsalError where it cannot be read.
    """
    if log is not None:
        try:
            return (
                sys.stdin.read() if str(log) == "-" else log.read_text(encoding="utf-8", errors="replace")
            ).splitlines()
        except OSError as error:
            raise RehearsalError(f"{log} cannot be read: {error.strerror}") from None
    if not (paths.is_up and paths.pod_logs.exists()):
        since, named = (" --since=5m", "") if request is None else ("", f" {shlex.quote(request)}")
        raise not_up_here(
            paths.stack,
            lambda plan: [
                f"kubectl logs --namespace {plan.namespace.name} deployment/{model.picker.name}{since} |"
                f" bin/llmd why {paths.stack}{named} --log -"
                for model in plan.models
            ],
        )
    files = [
        path
        for path in sorted(paths.pod_logs.glob("*.log"), key=lambda path: path.stat().st_mtime)
        if any(_is_of(path, picker) for picker in pickers)
    ]
    return [line for path in files for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
