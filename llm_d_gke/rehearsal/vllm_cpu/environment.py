"""A virtual environment with vLLM for this machine's processor, apart from the project's own.

It is kept in the cache that all clones share, one for each version of vLLM and set of pins.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.rehearsal.host.files import folder_bytes
from llm_d_gke.rehearsal.toolchain.build import build_lock, run_logged
from llm_d_gke.rehearsal.toolchain.targets import cache_root
from llm_d_gke.rehearsal.vllm_cpu.installation import INSTALL, Installation, install
from llm_d_gke.rehearsal.vllm_cpu.versions import PINS, EngineUnavailableError, check_machine

Report = Callable[[str], None]

# Measured with 0.26.0: 1.9 GiB of packages, and as much again for what was downloaded until it is removed.
NEEDED_DISK_GIB: Final = 4.5
_VARIABLES: Final[Mapping[str, str]] = read_yaml(Path(__file__).with_name("variables.yaml"))
# Starts vLLM: the first word of its process that names it.
SERVE: Final = Path(__file__).with_name("serve.py")
# NIXL, with which decode reads the KV cache of prefill, and the versions of vLLM that it runs with: it looks for the
# CUDA of their torch, which is 13, and needs none to read main memory (vLLM's nixl/utils.py lists `cpu`).
_TRANSFER: Final = PINS / "nixl.txt"
_TRANSFERS: Final = frozenset({"0.26.0"})


@dataclass(frozen=True)
class EngineEnvironment(Installation):
    """The installation of a version that engines of rehearsals run."""

    @property
    def transfer(self) -> Path | None:
        """The folder of the packages for KV transfer, which all versions share. None where they do not run."""
        return _beside("nixl", _TRANSFER) if self.version in _TRANSFERS else None

    def variables(self) -> dict[str, str]:
        """Environment variables of every process of the engine."""
        return {
            "LD_LIBRARY_PATH": str(self.libraries),
            # What vLLM learned of a model's class, which takes a second start of Python.
            "VLLM_CACHE_ROOT": str(self.home / "vllm-cache"),
            **_VARIABLES,
        }


def environment_of(version: str) -> EngineEnvironment:
    """The environment of a pinned version, installed or not."""
    return EngineEnvironment(version, _beside(version, PINS / f"{version}.txt"))


def _beside(name: str, pins: Path) -> Path:
    """A folder of the cache for these pins and this Python."""
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:8]
    return cache_root() / "vllm" / f"{name}-{digest}"


def installed(version: str, report: Report) -> EngineEnvironment:
    """The environment of a pinned version, installed if it is not there yet. Raises EngineUnavailableError."""
    environment = environment_of(version)
    check_machine(version)
    if not environment.is_ready:
        with build_lock(report):
            if not environment.is_ready:
                _install(environment, report)
    return environment


def install_transfer(environment: EngineEnvironment, report: Report) -> None:
    """Install what an engine needs for KV transfer, where it runs with this version and is not there yet."""
    folder = environment.transfer
    if folder is None or folder.exists():
        return
    with build_lock(report):
        if not folder.exists():
            report("installing NIXL for KV transfer on this processor, once on this machine (60 MB of downloads)")
            unfinished = folder.with_name(f".{folder.name}")
            shutil.rmtree(unfinished, ignore_errors=True)
            command = [*INSTALL, "--python", environment.python, "--target", unfinished, "--requirements", _TRANSFER]
            _run(environment, command, "NIXL", [unfinished], report)
            unfinished.rename(folder)


def _install(environment: EngineEnvironment, report: Report) -> None:
    home, version = environment.home, environment.version
    home.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home.parent).free / 2**30
    if free < NEEDED_DISK_GIB:
        raise EngineUnavailableError(
            f"vLLM {version} needs {NEEDED_DISK_GIB:g} GiB of disk while it is installed, and {home.parent} has"
            f" {free:.1f} GiB left: make room, or point LLM_D_REHEARSAL_CACHE to a larger disk"
        )
    report(f"installing vLLM {version} for this processor, once on this machine (about 0.8 GB of downloads)")
    began = time.monotonic()
    shutil.rmtree(home, ignore_errors=True)
    downloads = home.with_name(f".{home.name}.downloads")

    def run(label: str, command: Sequence[str | Path]) -> None:
        _run(environment, command, label, [downloads, home], report)

    try:
        pins = PINS / f"{environment.version}.txt"
        install(environment, pins, downloads, run, report, build="+cpu")
    finally:
        shutil.rmtree(downloads, ignore_errors=True)
    report(f"vLLM {version} is installed after {time.monotonic() - began:.0f} s")


def _run(
    environment: EngineEnvironment, command: Sequence[str | Path], label: str, growing: Sequence[Path], report: Report
) -> None:
    """Run a command and report a line at least every 10 s. Raises EngineUnavailableError with its last lines."""

    def progress(seconds: float) -> None:
        size = sum(folder_bytes(folder) for folder in growing) / 2**30
        report(f"{label}: {seconds:.0f} s, {size:.1f} GiB written")

    log = environment.home.with_name(f"{environment.home.name}.log")
    variables = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    if run_logged(command, log, progress, env=variables) != 0:
        last = "\n".join(f"  {line}" for line in log.read_text(errors="replace").strip().splitlines()[-8:])
        raise EngineUnavailableError(
            f"vLLM {environment.version} cannot be installed: the package index does not answer, or lacks a wheel for"
            " this processor; name another index in UV_DEFAULT_INDEX, or leave --engine vllm (ENGINE=vllm) out to run"
            f" the simulated engine.\n{last}"
        )
