"""The endpoint picker of a release: pinned here, published as a Go module, or not available.

The pins of this folder are all that a rehearsal needs. llm-d's router is no public Go module where this was written, so
that no go.mod can pin it; where a module proxy serves it, it is built with the module's own pins.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from llm_d_gke.catalog.release import PickerRelease
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.toolchain.build import Report
from llm_d_gke.rehearsal.toolchain.go import COMPILER_FLAGS, BuildError, download, environment, go_command
from llm_d_gke.rehearsal.toolchain.targets import cache_root, of_version

# By the last part of the image: the target that is pinned here, or the Go module and its package.
_PINNED: Final = {"epp": "epp", "llm-d-inference-scheduler": "llm-d-inference-scheduler"}
_PUBLISHED: Final = {"llm-d-router-endpoint-picker": ("github.com/llm-d/llm-d-router", "cmd/epp")}

# Seconds until a module proxy is queried again for a version that it did not have: a day.
_REMEMBERED_SECONDS: Final = 86_400.0
# Without a network, the question must not hold up a rehearsal.
_ASK_SECONDS: Final = 20.0
_BUILD_SECONDS: Final = 1_800.0


def is_available(picker: PickerRelease) -> bool:
    """Whether this picker is set by the user, pinned here, or was built before. Queries no registry."""
    if os.environ.get("REHEARSAL_EPP"):
        return True
    repository, version = _parts(picker.image)
    program = _PINNED.get(repository)
    if program is not None and of_version(program, version) is not None:
        return True
    return built(picker.image) is not None


def obtain(picker: PickerRelease, report: Report) -> bool:
    """Like `is_available`, and queries the Go module proxy for the picker's own module if it is not pinned here."""
    if is_available(picker):
        return True
    repository, version = _parts(picker.image)
    if repository not in _PUBLISHED:
        return False
    module, package = _PUBLISHED[repository]
    question = f"{module}@{version}"
    if time.time() - _refusals().get(question, 0.0) < _REMEMBERED_SECONDS:
        return False
    if not _is_published(question):
        with suppress(OSError):  # only a cache
            _refusals_file().parent.mkdir(parents=True, exist_ok=True)
            atomic_write(_refusals_file(), json.dumps({**_refusals(), question: time.time()}, indent=1))
        return False
    report(f"building the endpoint picker {version} from {module}, once on this machine (some minutes)")
    problem = _build(module, package, version, _binary(picker.image))
    if problem is not None:
        report(f"the endpoint picker {version} does not build: {problem}")
    return problem is None


def built(image: str) -> Path | None:
    """The picker of an image, where `obtain` has built it."""
    path = _binary(image)
    return path if os.access(path, os.X_OK) else None


def _binary(image: str) -> Path:
    return cache_root() / "published" / "-".join(_parts(image))


def _parts(image: str) -> tuple[str, str]:
    repository, _, version = image.rpartition("/")[2].partition(":")
    return repository, version


def _refusals_file() -> Path:
    return cache_root() / "published" / "refused.json"


def _refusals() -> dict[str, float]:
    """Modules that no proxy served, with the time of the answer."""
    try:
        refusals: dict[str, float] = json.loads(_refusals_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return refusals


def _is_published(question: str) -> bool:
    """Whether the module proxy has a module in this version."""
    try:
        return download(question, timeout=_ASK_SECONDS).returncode == 0
    except (BuildError, OSError, subprocess.TimeoutExpired):
        return False


def _build(module: str, package: str, version: str, target: Path) -> str | None:
    """Build a package with the pins of its module. Returns the last line of Go's output if the build fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # `go install` uses the go.mod of the module that is named, as no folder of this project decides here.
    folder = target.parent / f".{target.name}"
    folder.mkdir(exist_ok=True)
    command = [
        go_command(f"build {module}"),
        "install",
        *COMPILER_FLAGS,
        "-ldflags=-s -w",
        f"{module}/{package}@{version}",
    ]
    try:
        answer = subprocess.run(
            command,
            cwd="/",
            env={**environment(), "GOBIN": str(folder), "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    executable = folder / package.rpartition("/")[2]
    if answer.returncode != 0 or not executable.exists():
        return (answer.stderr.strip().splitlines() or ["go printed nothing"])[-1]
    executable.replace(target)
    folder.rmdir()
    return None
