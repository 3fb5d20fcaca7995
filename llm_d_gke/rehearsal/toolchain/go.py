"""Finds, checks and runs the `go` command, and explains its failures."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.toolchain.targets import TOOLCHAIN_FOLDER

# From 1.21 on, `go` fetches the toolchain that a go.mod requires.
_OLDEST: Final = (1, 21)
# Folders of its installers that are not on PATH.
_USUAL_PLACES = "/usr/local/go/bin:/usr/lib/go/bin:/snap/bin"
_INSTALL: Final = (
    "install Go 1.21 or newer (https://go.dev/dl, or your distribution's golang package); "
    "it fetches the exact version it needs itself"
)

# The linker drops (-s -w) what the compiler writes for debuggers, an eighth of its processor time.
COMPILER_FLAGS: Final = ("-trimpath", "-gcflags=all=-dwarf=false")
# A compiler ends before garbage matters, and collecting it takes a tenth of its time. The limit is that of one process.
_COLLECTOR: Final = {"GOGC": "off", "GOMEMLIMIT": "1GiB"}


class BuildError(RehearsalError):
    """A binary is not available. The message names the binary, the reason and the correction."""


def go_command(purpose: str) -> str:
    """The path of a usable `go`; `purpose` ends the sentence when there is none (`build etcd`)."""
    executable = shutil.which("go") or shutil.which("go", path=_USUAL_PLACES)
    if executable is None:
        raise BuildError(f"Go is needed to {purpose}, and there is no `go` on PATH: {_INSTALL}.")
    try:
        answer = subprocess.run(
            [executable, "version"], capture_output=True, text=True, env=environment(local=True), check=False
        )
    except OSError as error:
        raise BuildError(
            f"Go is needed to {purpose}, and {executable} cannot be run ({error.strerror}): {_INSTALL}."
        ) from error
    version = re.search(r"go version (?:go|devel go)(\d+)\.(\d+)", answer.stdout)
    if version is None:
        output = (answer.stdout + answer.stderr).strip()
        raise BuildError(f"Go is needed to {purpose}, and `{executable} version` answers {output!r}: {_INSTALL}.")
    if (int(version[1]), int(version[2])) < _OLDEST:
        raise BuildError(f"Go {version[1]}.{version[2]} ({executable}) is too old to {purpose}: {_INSTALL}.")
    return executable


def environment(*, local: bool = False) -> dict[str, str]:
    """This environment without what changes a build: a workspace file, a pinned toolchain, a C compiler.

    `local`: with the toolchain that is installed, fetching none. Compilers seldom collect garbage, unless the user's
    own GOGC or GOMEMLIMIT says otherwise.
    """
    collector = {} if {*_COLLECTOR} & {*os.environ} else _COLLECTOR
    build = {"GOWORK": "off", "GOTOOLCHAIN": "local" if local else "auto", "CGO_ENABLED": "0"}
    return {**os.environ, **collector, **build}


def fetch(module: str, dependency: str) -> str:
    """`go mod download -json` of a dependency pinned by one of our modules; its standard output.

    In a copy: the command writes sums into go.sum, and a rehearsal leaves the checkout as it is.
    """
    purpose = f"fetch the Go module {dependency}"
    go = go_command(purpose)
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as copy:
        for file in ("go.mod", "go.sum"):
            shutil.copy(TOOLCHAIN_FOLDER / module / file, copy)
        command = [go, "mod", "download", "-json", dependency]
        answer = subprocess.run(command, cwd=copy, capture_output=True, text=True, env=environment(), check=False)
    if answer.returncode != 0:
        raise BuildError(failure(purpose, answer.stdout + answer.stderr, None))
    return answer.stdout


def download(question: str, *, timeout: float) -> subprocess.CompletedProcess[str]:
    """`go mod download -json MODULE@VERSION`, outside of any module, whose go.mod could change the answer.

    Raises BuildError without a usable `go`, and TimeoutExpired.
    """
    command = [go_command(f"fetch {question}"), "mod", "download", "-json", question]
    folder = tempfile.gettempdir()
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
    )


def failure(purpose: str, output: str, log: Path | None) -> str:
    """The message for the output of a failed command."""
    last = "\n".join("  " + line for line in meaningful(output)[-15:])
    where = f"\nThe whole output is in {log}." if log is not None else ""
    if is_full(output):
        return f"{full_disk(purpose)}{where}"
    if re.search(r"dial tcp|TLS handshake|no such host|i/o timeout|proxyconnect|connection refused", output):
        return f"cannot {purpose}: the Go module proxy cannot be reached (GOPROXY names another).\n{last}{where}"
    return f"cannot {purpose}; go says:\n{last}{where}"


def meaningful(output: str) -> list[str]:
    """Without the names of packages that were compiled and modules that were fetched."""
    noise = re.compile(r"\S+|go: (downloading|extracting|finding) .*|\s*")
    return [line for line in output.splitlines() if not noise.fullmatch(line)]


def is_full(problem: str | OSError) -> bool:
    if isinstance(problem, OSError):
        return problem.errno in (errno.ENOSPC, errno.EDQUOT)
    return "no space left on device" in problem.lower() or "disk quota exceeded" in problem.lower()


def full_disk(purpose: str) -> str:
    """The message for a full disk, with the folders that fill and their free space."""
    places = {
        "Go's build cache": os.environ.get("GOCACHE"),
        "temporary files": os.environ.get("GOTMPDIR") or tempfile.gettempdir(),
    }
    left = []
    for what, place in places.items():
        folder = Path(place) if place else Path.home() / ".cache"
        while not folder.exists():
            folder = folder.parent
        left.append(f"{what} ({folder}): {shutil.disk_usage(folder).free // 2**20} MiB left")
    return (
        f"cannot {purpose}: the disk is full ({'; '.join(left)}). A first build of everything needs about 8 GiB; "
        "make room, or point GOCACHE, GOMODCACHE, TMPDIR and LLM_D_REHEARSAL_CACHE to a larger disk."
    )
