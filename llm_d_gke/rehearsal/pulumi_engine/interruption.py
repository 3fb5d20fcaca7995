"""Handles Ctrl-C during an engine operation, and cleans up after an engine that was killed."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
from pulumi import automation as auto
from semver import VersionInfo

from llm_d_gke.kube import Kube
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.waiting import wait_until

_GONE_SECONDS = 180.0

# An engine in this process group says within a tenth of a second that it was interrupted.
_HEARD_SECONDS = 3.0
_INTERRUPTING = (
    "the engine finishes what is under way and writes its state",
    "the engine ends at once; the next command repairs what it leaves",
)


class EngineCommand(auto.PulumiCommand):
    """The `pulumi` of the Automation API, which remembers whether an engine has printed that it was interrupted."""

    acknowledged = threading.Event()

    def __init__(self, version: VersionInfo | None, root: str | None = None) -> None:
        """Without a version the engine is asked for it. `root`: the folder of its `bin`, else it is on the PATH."""
        if version is None:
            super().__init__(root, skip_version_check=True)
        else:
            self.command, self.version = "pulumi", version

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], object] | None = None,
        on_error: Callable[[str], object] | None = None,
    ) -> Any:
        return super().run(args, cwd, additional_env, self._listening(on_output), self._listening(on_error))

    def _listening(self, show: Callable[[str], object] | None) -> Callable[[str], object]:
        def take(line: str) -> None:
            if line.startswith("^C received"):
                self.acknowledged.set()
            if show:
                show(line)

        return take


@contextlib.contextmanager
def defer_interrupts() -> Iterator[None]:
    """Hand interrupts to the engine while it runs, and raise KeyboardInterrupt afterwards.

    A terminal interrupts the engine too, which is a child in the same process group; `kill`, `timeout` and the runner
    of a pipeline interrupt this process alone. The engine then cancels what it waits for, and writes its state. At a
    second interrupt it ends at once, or is killed; the next command continues.
    """
    interrupts = 0
    ended = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupts
        interrupts += 1
        print(f"\ninterrupting: {_INTERRUPTING[min(interrupts, 2) - 1]}", flush=True)
        threading.Thread(target=_hand_on, args=(interrupts, ended), daemon=True).start()

    EngineCommand.acknowledged.clear()
    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception:
        if interrupts:
            raise KeyboardInterrupt from None
        raise
    finally:
        ended.set()
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt


def _hand_on(interrupts: int, ended: threading.Event) -> None:
    """See that the engine got an interrupt: a further one would make it end in the middle of what it writes."""
    if interrupts == 1:
        while not EngineCommand.acknowledged.wait(_HEARD_SECONDS) and not ended.is_set():
            _signal_engine(signal.SIGINT)
        return
    for number in (signal.SIGINT, signal.SIGKILL):
        if not ended.wait(_HEARD_SECONDS):
            _signal_engine(number)


def _signal_engine(number: signal.Signals) -> None:
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if child.name() == "pulumi":
                child.send_signal(number)


def delete_orphaned_creates(stack: auto.Stack, paths: StackPaths, report: Callable[[str], None]) -> None:
    """Delete Kubernetes objects whose creation was running when an engine died, and the engine's records of them.

    Such an object may exist without being in the state, and the next update would conflict with it. The simulated gcp
    provider recognizes its own unrecorded resources. Raises RehearsalError for an object that stays.
    """
    if not has_pending_operations(paths):
        return
    exported = stack.export_stack()
    deployment: dict[str, Any] = dict(exported.deployment or {})
    pending: list[dict[str, Any]] = deployment.pop("pending_operations", None) or []
    if not pending:
        return
    recorded = {_identity(resource) for resource in deployment.get("resources") or []}
    begun = [operation["resource"] for operation in pending if operation["type"] == "creating"]
    unrecorded = [resource for resource in begun if _is_object(resource) and _identity(resource) not in recorded]
    if unrecorded and paths.kubeconfig.exists():
        with client(paths) as kube:
            for resource in unrecorded:
                _remove(kube, resource["inputs"], report)
    stack.import_stack(auto.Deployment(version=exported.version, deployment=deployment))


class Recorded:
    """The state of a rehearsed stack. See `pending_creates.Engine`."""

    def __init__(self, stack: auto.Stack) -> None:
        self._stack = stack

    def export(self) -> dict[str, Any]:
        return vars(self._stack.export_stack())

    def restore(self, state: Mapping[str, Any]) -> None:
        self._stack.import_stack(auto.Deployment(version=state["version"], deployment=state["deployment"]))

    def refresh(self, urns: Sequence[str]) -> None:
        with contextlib.suppress(auto.CommandError):
            self._stack.refresh(target=list(urns), color="never")


def state_files(paths: StackPaths) -> list[Path]:
    """The file that holds the stack's state, or none before the stack is created."""
    return list((paths.backend / ".pulumi" / "stacks").glob(f"*/{paths.stack}.json"))


def read_state(paths: StackPaths) -> dict[str, Any]:
    """The deployment in the state file, empty without one. The engine would take a second to answer this."""
    for file in state_files(paths):
        checkpoint = json.loads(file.read_text(encoding="utf-8")).get("checkpoint") or {}
        return dict(checkpoint.get("latest") or {})
    return {}


def has_pending_operations(paths: StackPaths) -> bool:
    """Whether an engine died. The next one would take a second to answer this."""
    return bool(read_state(paths).get("pending_operations"))


def _is_object(resource: dict[str, Any]) -> bool:
    inputs = resource.get("inputs") or {}
    return str(resource["type"]).startswith("kubernetes:") and "kind" in inputs and "apiVersion" in inputs


def _identity(resource: dict[str, Any]) -> tuple[str, str, str, str]:
    """The identity of a Kubernetes object. All other resources have the same one."""
    inputs: dict[str, Any] = resource.get("inputs") or {}
    about: dict[str, Any] = inputs.get("metadata") or {}
    return (str(inputs.get("apiVersion")), str(inputs.get("kind")), str(about.get("namespace")), str(about.get("name")))


def _remove(kube: Kube, manifest: dict[str, Any], report: Callable[[str], None]) -> None:
    kind = (manifest["apiVersion"], manifest["kind"])
    name, namespace = manifest["metadata"]["name"], manifest["metadata"].get("namespace")
    existing = kube.find(*kind, name, namespace)
    if existing is None:
        return
    report(f"{manifest['kind']} {name}: deleting it, because the command that created it was killed")
    uid = {"uid": existing["metadata"]["uid"]}
    kube.delete(*kind, name, namespace, propagationPolicy="Foreground", preconditions=uid)
    wait_until(
        lambda: kube.find(*kind, name, namespace) is None,
        timeout=_GONE_SECONDS,
        on_timeout=lambda: RehearsalError(
            f"{manifest['kind']} {name}, which a killed command created, was not deleted within"
            f" {_GONE_SECONDS:.0f} s: run `make down`, then `make up`"
        ),
    )
