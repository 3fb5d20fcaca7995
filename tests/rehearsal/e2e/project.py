"""A copy of the project in a separate folder, with its commands as in a terminal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.kube import Kube, Manifests
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.load_balancer import envoy
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.status import reachable
from llm_d_gke.stackfile import put
from tests.project_copy import copy_project
from tests.waiting import PATIENCE, eventually

from .traffic import Steady

STACKS = ("gpu", "tpu")
ENGINES, PICKERS = "llm-d.ai/inference-serving=true", "app.kubernetes.io/name=endpoint-picker"

# The same for a command that creates or removes a whole stack.
COMMAND = 420.0

# Read once: httpx reads them again for every connection, which costs more than the request.
_AUTHORITIES = ssl.create_default_context()


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code, and both of its streams in the order of their lines."""

    code: int
    text: str


class Command:
    """A running command, in a separate process group as in a terminal."""

    def __init__(self, root: Path, arguments: tuple[str, ...], module: str = "llm_d_gke.rehearsal") -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": "", "TMPDIR": str(temporary(root))},
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.append(line)

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def until_says(self, words: str) -> None:
        """Return as soon as the words were printed. Fails when the command ends without them."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.text:
            if self._child.poll() is not None:
                self._reader.join(5.0)
            assert self._child.poll() is None, f"ended without saying {words!r}:\n{self.text}"
            assert time.monotonic() < deadline, f"did not say {words!r} in {PATIENCE:.0f} s:\n{self.text}"
            time.sleep(0.01)

    def control_c(self) -> None:
        """As a terminal: SIGINT to all foreground processes."""
        os.killpg(self._child.pid, signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to the command and the engine, as the kernel does when memory is short."""
        os.killpg(self._child.pid, signal.SIGKILL)

    def wait(self, patience: float = COMMAND) -> Done:
        try:
            code = self._child.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            self._child.wait()
            raise AssertionError(f"still ran after {patience:.0f} s:\n{self.text}") from None
        self._reader.join(5.0)
        return Done(code, self.text)


def proxied(paths: StackPaths) -> set[str]:
    """IP addresses to which the load balancer sends requests, as Envoy lists them."""
    endpoints = envoy.endpoints_read(envoy.admin_of(paths))
    return {address for hosts in endpoints.values() for address, _ in hosts}


class Project:
    """The copied project at `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        copy_project(root)
        temporary(root).mkdir()

    def commit(self) -> None:
        """Make it a Git repository without changes, which shows later what has changed since."""
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=copy")

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout

    def write_stack(self, stack: str, changes: Mapping[str, Any], base: str = "gpu") -> None:
        """Write the stack file of another stack with changed settings, by path, as a stack file of its own."""
        document = read_yaml(self.root / f"Pulumi.{base}.yaml")
        for path, value in changes.items():
            put(document["config"], f"llm-d:{path}", value)
        (self.root / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")

    def start(self, *arguments: str) -> Command:
        return Command(self.root, arguments)

    def run(self, *arguments: str, code: int = 0, patience: float = COMMAND) -> str:
        """The output of `python -m llm_d_gke.rehearsal <arguments>`; fails if it did not end with `code`."""
        done = self.start(*arguments).wait(patience)
        assert done.code == code, f"{' '.join(arguments)} ended with {done.code}, not {code}:\n{done.text}"
        return done.text

    def look(self, *arguments: str, code: int = 0) -> str:
        """The output of `llmd <arguments>` for a running stack; fails as `run` does."""
        done = Command(self.root, arguments, "llm_d_gke").wait()
        assert done.code == code, f"{' '.join(arguments)} ended with {done.code}, not {code}:\n{done.text}"
        return done.text

    def verified(self, stack: str, *arguments: str) -> set[str]:
        """The ids of the checks that `verify` passed. Fails when one failed."""
        checks = json.loads(self.look("verify", stack, *arguments, "--format", "json"))["checks"]
        return {check["id"] for check in checks if check["outcome"] == "passed"}

    def diagnosed(self, stack: str, *arguments: str) -> str:
        """The id of the cause that `diagnose` names first, empty where it finds nothing."""
        done = Command(self.root, ("diagnose", stack, "--json", *arguments), "llm_d_gke").wait()
        causes = json.loads(done.text)["causes"]
        assert done.code == (2 if causes else 0), done.text
        return str(causes[0]["id"]) if causes else ""

    def up_together(self, *stacks: str) -> dict[str, str]:
        """Start stacks at the same time. Returns the output of `up` for each; fails if one of them did not start."""
        commands = {stack: self.start("up", stack) for stack in stacks}
        done = {stack: command.wait() for stack, command in commands.items()}
        for stack, run in done.items():
            assert run.code == 0, f"up {stack}:\n{run.text}"
        return {stack: run.text for stack, run in done.items()}

    def endpoint(self, stack: str) -> str:
        """The output of the command of this name."""
        return reachable(self.paths(stack))

    def paths(self, stack: str) -> StackPaths:
        return StackPaths(stack, self.root)

    @contextmanager
    def kube(self, stack: str) -> Iterator[Kube]:
        with client(self.paths(stack)) as kube:
            yield kube

    def model_servers(self, stack: str, labels: str = ENGINES) -> Manifests:
        """Pods of the engine, or with these labels, that are not terminating."""
        with self.kube(stack) as kube:
            pods = kube.list("v1", "Pod", labels=labels)
        return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]

    def ready(self, stack: str, labels: str = ENGINES) -> set[str]:
        """Names of those of these pods that are ready."""
        return {
            pod["metadata"]["name"]
            for pod in self.model_servers(stack, labels)
            if any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in pod["status"].get("conditions", [])
            )
        }

    def kill(self, stack: str, pod: str, reason: signal.Signals = signal.SIGKILL) -> None:
        """End a pod's process without notice, as a crash does, or send it another signal."""
        [process] = [process for process in processes.listing(self.paths(stack)) if pod in process.name]
        os.kill(process.pid, reason)

    def is_back(self, stack: str, pod: str, labels: str = ENGINES, restarts: int = 1) -> bool:
        """Whether this pod was restarted so often and is ready again. Its unready state may be too short to observe."""
        return pod in self.ready(stack, labels) and any(
            model_server["metadata"]["name"] == pod
            and model_server["status"]["containerStatuses"][0]["restartCount"] >= restarts
            for model_server in self.model_servers(stack, labels)
        )

    def proxied(self, stack: str) -> set[str]:
        """IP addresses to which the load balancer sends requests, as Envoy lists them."""
        return proxied(self.paths(stack))

    def address_of(self, stack: str, pod: str, labels: str = ENGINES) -> str:
        """The IP address of a pod."""
        [address] = {
            server["status"]["podIP"]
            for server in self.model_servers(stack, labels)
            if server["metadata"]["name"] == pod
        }
        return str(address)

    def stop_everything(self, stack: str) -> None:
        """As a reboot: every process ends, every file stays."""
        for process in reversed(processes.listing(self.paths(stack))):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        eventually(
            lambda: not any(process.alive for process in processes.listing(self.paths(stack))), "all processes ended"
        )

    def api_server_port(self, stack: str) -> int:
        server: str = read_yaml(self.paths(stack).kubeconfig)["clusters"][0]["cluster"]["server"]
        return int(server.rpartition(":")[2])

    def leftovers(self, stack: str) -> list[str]:
        """Everything of a stack that should not exist after `down`: processes, files, the engine's state."""
        paths = self.paths(stack)
        remaining = [f"process {pid}: {line}" for pid, line in processes_about(str(paths.home))]
        if paths.home.exists():
            remaining += [str(path) for path in (paths.home, *paths.home.rglob("*"))]
        state = paths.backend / ".pulumi"
        remaining += [str(path) for path in state.rglob(f"stacks/*/{stack}.json")]
        remaining += [str(path) for path in state.rglob(f"locks/organization/*/{stack}/*")]
        return remaining

    def clear(self) -> None:
        """Remove everything that a failed test left running."""
        base = self.paths(STACKS[0]).base
        for home in base.iterdir() if base.exists() else ():
            processes.stop_all(self.paths(home.name))
        shutil.rmtree(self.root / ".rehearsal", ignore_errors=True)


def temporary(root: Path) -> Path:
    """The commands' folder for temporary files, beside the project."""
    return root.parent / "tmp"


@contextmanager
def project_in(folder: Path) -> Iterator[Project]:
    """A copy of the project in which nothing ran yet; afterwards nothing of it runs."""
    new_project = Project(folder / "project")
    try:
        yield new_project
    finally:
        new_project.clear()


def processes_about(path: str) -> list[tuple[int, str]]:
    """Processes of this machine whose command line or environment names a path, this one excepted."""
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        try:
            text = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
        except OSError:  # of another user, or ended meanwhile
            continue
        if path.encode() in text:
            processes.append((int(folder.name), text.split(b"\0\0")[0].replace(b"\0", b" ").decode(errors="replace")))
    return processes


def chat(endpoint: str, model: str, *, stream: bool = False, prompt: str = "Say hello.") -> httpx.Response:
    """One chat request, a fresh connection each."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 16,
        "stream": stream,
    }
    url = f"{endpoint}/v1/chat/completions"
    return httpx.post(url, json=body, timeout=PATIENCE, trust_env=False, verify=_AUTHORITIES)


def answered(load: Steady, count: int, since: float = 0.0) -> None:
    """Wait until this many requests that were sent after a moment of the monotonic clock have been answered."""
    eventually(lambda: len(load.answers(since)) >= count, f"{count} requests have been answered")
