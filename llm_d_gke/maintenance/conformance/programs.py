"""Starts a release's Go programs with the arguments rendered for them, and reports what they refuse.

Pickers, model routers and sidecars parse their flags and load their configuration before they need a cluster. Their
kubeconfig points at an address without a server, and each is ended as soon as its log shows that it got that far.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from llm_d_gke.maintenance.conformance.rendered import Rendered
from llm_d_gke.nested import plain
from llm_d_gke.rehearsal.host.ports import Ports
from llm_d_gke.rehearsal.node_agent.arguments import with_ports
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, program, version
from llm_d_gke.rehearsal.toolchain import pickers
from llm_d_gke.rehearsal.toolchain.build import Report, binaries
from llm_d_gke.rehearsal.toolchain.targets import TARGETS, of_version
from llm_d_gke.waiting import wait_until

# What each kind of program logs once it has accepted its flags and configuration.
_LOADED_MARKS: Final = {
    Program.PICKER: ("loaded configuration from file/text successfully",),
    Program.SCHEDULER: ("loaded configuration from file/text successfully",),
    # Older routers query the API server's resource types, which they do after they parsed their flags.
    Program.ROUTER: ("anager starting", "failed to determine if *v1.ConfigMap is namespaced"),
    Program.PROCESSOR: ("anager starting",),
    Program.SIDECAR: ('"starting"',),
}
_SECONDS: Final = 60.0
_UNREACHABLE_SERVER: Final = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "current-context": "none",
}


@dataclass(frozen=True)
class Started:
    """A running program, its log, and its ports by port of the pod."""

    child: subprocess.Popen[bytes]
    log: Path
    ports: Mapping[int, int]

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


def binary(image: str, report: Report) -> Path | None:
    """The program of an image in exactly its version, built where it has to be; None where it is not available.

    Where no Go module of it is pinned, a program that REHEARSAL_EPP, REHEARSAL_PD_SIDECAR or the like names counts.
    """
    which = program(image)
    if which not in _LOADED_MARKS:
        return None
    target = of_version(which.value, version(image))
    if target is not None:
        return binaries([target.name], report)[target.name]
    named = os.environ.get(TARGETS[which.value].override)
    return Path(named) if named else pickers.built(image)


def is_pinned(image: str) -> bool:
    """Whether the program of an image has a pinned Go module here, in the image's version."""
    which = program(image)
    return which in _LOADED_MARKS and of_version(which.value, version(image)) is not None


def refusals(executable: Path, image: str, renderings: Iterable[Rendered]) -> Iterator[str]:
    """Yield the program's errors about each command line, and flags that it calls deprecated."""
    which = program(image)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        kubeconfig.write_text(json.dumps(_UNREACHABLE_SERVER), encoding="utf-8")
        messages: dict[str, None] = {}
        for rendering in renderings:
            messages |= dict.fromkeys(_start(executable, which, rendering, Path(folder)))
    yield from messages


def refusal(executable: Path, image: str, rendering: Rendered, folder: Path) -> str | None:
    """Return the program's error about one command line; None where it takes it. `folder` holds its files."""
    which = program(image)
    (folder / "kubeconfig").write_text(json.dumps(_UNREACHABLE_SERVER), encoding="utf-8")
    messages = [line for line in _start(executable, which, rendering, folder) if not line.startswith("flag --")]
    return messages[0] if messages else None


def has_word(executable: Path, word: str) -> bool:
    """Whether a name, such as that of a label, is compiled into the program."""
    return word.encode() in executable.read_bytes()


def _start(executable: Path, which: Program, rendering: Rendered, folder: Path) -> list[str]:
    with started(executable, which, rendering, folder, folder / "kubeconfig") as program:
        loaded = _wait(program, _LOADED_MARKS[which])
    text = program.text
    lines = [f"flag --{name} is deprecated" for name in re.findall(r"Flag --([\w-]+) has been deprecated", text)]
    return lines if loaded else [*lines, reason(text)]


@contextmanager
def started(
    executable: Path, which: Program, rendering: Rendered, folder: Path, kubeconfig: Path, namespace: str = "default"
) -> Iterator[Started]:
    """Run a program on ports of its own for the duration of the block. `folder` gets its configuration and its log."""
    arguments = [*rendering.args]
    if rendering.config is not None:
        file = folder / "config.yaml"
        text = yaml.safe_dump(plain(rendering.config), sort_keys=False)
        file.write_text(text, encoding="utf-8")
        arguments = [f"--config-file={file}" if arg.startswith("--config-file=") else arg for arg in arguments]
        if f"--config-file={file}" not in arguments:
            # KServe's controller passes the configuration of its object this way.
            arguments.append(f"--config-text={text}")
    free = Ports()
    listening = with_ports(which, arguments, lambda _, count: free.take(count))
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "KUBECONFIG": str(kubeconfig),
        "POD_NAME": "pod-0",
        "NAMESPACE": namespace,
        "POD_NAMESPACE": namespace,
        "POD_IP": "127.0.0.1",
        "INFERENCE_POOL_NAMESPACE": namespace,
        "INFERENCE_POOL_NAME": "pool",
    }
    log = folder / "log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [executable, *listening.arguments],
            env=environment,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Started(child, log, listening.ports)
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _wait(program: Started, marks: tuple[str, ...]) -> bool:
    """Whether the log has one of the marks before the program ends."""

    def attempt() -> str:
        ended = program.child.poll() is not None
        text = program.text
        return "loaded" if any(mark in text for mark in marks) else "ended" if ended else ""

    try:
        return wait_until(attempt, timeout=_SECONDS, on_timeout=TimeoutError, longest_pause=0.05) == "loaded"
    except TimeoutError:
        return False


def reason(text: str) -> str:
    """The program's own words: of a JSON log the last error, else the first line that names one."""
    for line in reversed(text.splitlines()):
        if '"level":"error"' in line:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            return str(entry.get("error") or entry.get("msg"))[:300]
    # The usage that follows a wrong flag is indented.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith((" ", "{"))]
    telling = [line for line in lines if re.search(r"unknown|invalid|panic|error", line, re.IGNORECASE)]
    return (telling or lines or ["it ended silently"])[0][:300]
