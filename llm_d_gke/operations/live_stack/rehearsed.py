"""A stack that is rehearsed on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from llm_d_gke.kube import KubeError
from llm_d_gke.operations.live_stack.stack import Endpoint, LiveStack, LiveStackError, Manifest
from llm_d_gke.planning import plan_config
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.engine_choice import EngineChoice, engine_of
from llm_d_gke.rehearsal.errors import RehearsalError, not_up
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.changes import diff_settings
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.terminal.chat import client_headers
from llm_d_gke.rehearsal.terminal.status import reachable
from llm_d_gke.stackfile import PROJECT_ROOT, stack_file

_LOG_LINES = 80


class LoopbackPods:
    """Every pod has a separate loopback address, and writes its log into a file."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def address(self, pod: Manifest, port: int) -> str:
        address = (pod.get("status") or {}).get("podIP")
        if not address:
            raise LiveStackError(f"pod {pod['metadata']['name']} has no address yet")
        return f"{address}:{port}"

    def log(self, pod: Manifest, container: str, *, previous: bool = False) -> str:
        # One file holds every run of a container.
        del previous
        metadata = pod["metadata"]
        file = self._logs / f"{metadata['namespace']}_{metadata['name']}_{container}.log"
        if not file.exists():
            return ""
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])


class NotRunningError(LiveStackError):
    """A stack that is not up on this machine. `on_gke` says what there is to do or to know if it runs there."""

    def __init__(self, stack: str, on_gke: str = "") -> None:
        super().__init__("\n".join([not_up(stack), *([f"On GKE: {on_gke}"] if on_gke else [])]))


def is_rehearsed(stack: str) -> bool:
    return StackPaths(stack).is_up


@contextmanager
def rehearsed_stack(stack: str, overrides: Mapping[str, str]) -> Iterator[LiveStack]:
    """Raises LiveStackError when the stack is not up on this machine, StackFileError for a name that no stack has."""
    paths = StackPaths(stack)
    if not is_rehearsed(stack):
        stack_file(PROJECT_ROOT, stack)
        raise NotRunningError(stack)
    config = load(PROJECT_ROOT, stack, overrides)
    plan = plan_config(stack, config)
    with client(paths) as kube:
        yield LiveStack(
            name=stack,
            target="rehearsal",
            looked_at=f"the stack {stack} that is rehearsed on this machine (not GKE)",
            config=config,
            plan=plan,
            cluster=kube,
            pods=LoopbackPods(paths.pod_logs),
            endpoint=_endpoint(paths, plan.gateway.hostname, client_headers(plan, kube.find, paths.token_keys)),
            unfinished=paths.unfinished.exists(),
            changed_settings=tuple(diff_settings(paths, config)),
            simulated_engine=engine_of(paths) is EngineChoice.SIMULATOR,
        )


def _endpoint(paths: StackPaths, hostname: str | None, headers: Mapping[str, str]) -> Endpoint | None:
    try:
        url = reachable(paths)
    except (RehearsalError, KubeError):
        return None
    return Endpoint(url=url, host=hostname or urlsplit(url).hostname or "", trusted=False, headers=headers)
