"""Finds or builds the binaries of a local run.

A binary named by its environment variable (`REHEARSAL_EPP=/path`), and a `pulumi` on PATH, are used as they are. The
others are built from the pinned modules beside this file into a cache all clones share, so that only the first
rehearsal on a machine waits.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from llm_d_gke.file_locks import holder, note, take
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.toolchain.go import (
    COMPILER_FLAGS,
    BuildError,
    environment,
    failure,
    fetch,
    full_disk,
    go_command,
    is_full,
)
from llm_d_gke.rehearsal.toolchain.targets import TARGETS, TOOLCHAIN_FOLDER, Target, cache_of, cache_root, ldflags
from llm_d_gke.wording import count

__all__ = ["BuildError", "binaries", "is_ready", "module_dir"]

Report = Callable[[str], None]

_SECONDS_BETWEEN_LINES: Final = 8.0  # a user sees progress at least every 10 s


def binaries(names: Iterable[str], report: Report) -> dict[str, Path]:
    """Paths of executables by name (see `targets.TARGETS`).

    Builds what is missing, telling `report` a line at least every 10 s. Raises BuildError with one text for the user:
    no Go, no proxy, a full disk, a failed compilation with the end of its output.
    """
    targets = {name: TARGETS[name] for name in names}
    ready = {name: path for name, target in targets.items() if (path := _ready(target)) is not None}
    missing = [target for target in TARGETS.values() if target.name in targets and target.name not in ready]
    if missing:
        try:
            with build_lock(report) as shared:
                # Another process may have built them while we waited.
                missing = [target for target in missing if _ready(target) is None]
                _build_all(missing, shared)
        except OSError as error:
            if is_full(error):
                raise BuildError(full_disk(f"build {_names(missing)}")) from error
            raise BuildError(f"cannot build {_names(missing)}: {error}") from error
    return {name: ready.get(name) or _binary(target) for name, target in targets.items()}


def is_ready(name: str) -> bool:
    """Whether a binary need not be built. Raises BuildError for a variable that names no program."""
    return _ready(TARGETS[name]) is not None


def module_dir(module: str, pins: str = "cluster") -> Path:
    """The folder of a module that `<pins>/go.mod` pins, in Go's module cache.

    Fetches it when it is missing. The answer is cached, so that a warm start does not call `go`.
    """
    memory = cache_of(pins) / "modules.json"
    try:
        folders: dict[str, str] = json.loads(memory.read_text())
    except (OSError, ValueError):
        folders = {}
    if module in folders and Path(folders[module]).is_dir():
        return Path(folders[module])
    answer = json.loads(fetch(pins, module))
    folder = Path(answer["Dir"])
    with suppress(OSError):  # only a cache
        atomic_write(memory, json.dumps({**folders, module: str(folder)}, indent=1))
    return folder


def _ready(target: Target) -> Path | None:
    """The binary, if it need not be built."""
    named = os.environ.get(target.override)
    if named:
        path = Path(named).expanduser().absolute()
        if not os.access(path, os.X_OK) or path.is_dir():
            raise BuildError(f"{target.override}={named} is not an executable file.")
        return path
    if target.name == "pulumi" and (installed := shutil.which("pulumi")):
        return Path(installed)
    path = _binary(target)
    return path if os.access(path, os.X_OK) else None


def _binary(target: Target) -> Path:
    return cache_of(target.module) / "bin" / target.file


@contextmanager
def build_lock(report: Report) -> Iterator[Report]:
    """Allow one build at a time on this machine: two would compile the same packages twice.

    Yields a `report` whose last line processes that wait for this one show.
    """
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / "build.lock").open("a+", encoding="utf-8") as lock:
        began = reported_at = time.monotonic()
        while True:
            if take(lock):
                break
            now = time.monotonic()
            if reported_at == began or now - reported_at >= _SECONDS_BETWEEN_LINES:
                other, progress = holder(lock)
                doing = f": {progress}" if progress else ""
                report(f"waiting {now - began:.0f} s for another build into this cache ({other}){doing}")
                reported_at = now
            time.sleep(0.3)

        def shared(text: str) -> None:
            note(lock, text)
            report(text)

        yield shared


def _build_all(targets: list[Target], report: Report) -> None:
    if not targets:
        return
    go = go_command(f"build {_names(targets)}")
    programs = count(len(targets), "program")
    report(f"building {programs} from source, once on this machine, in minutes: {_names(targets)}")
    if any(target.name == "pulumi" for target in targets):
        report("a pulumi on the PATH is taken instead; reports and diffs need none")
    began = time.monotonic()
    done = 0
    for group in _groups(targets):
        first, done = done + 1, done + len(group)
        numbers = str(first) if done == first else f"{first}-{done}"
        more = len(targets) - done
        rest = f", {count(more, 'more program')} after it" if more else ""
        name = f" {_names(group)}" if len(group) == 1 else ""
        _build(go, group, f"[{numbers}/{len(targets)}]{name}", rest, report)
    report(f"built {programs} in {time.monotonic() - began:.0f} s")


def _groups(targets: Iterable[Target]) -> list[list[Target]]:
    """Groups of targets that one `go build` can compile: same module, same tags.

    The linker has one thread. In one command, other packages compile while a program is linked.
    """
    groups: dict[tuple[str, ...], list[Target]] = {}
    for target in targets:
        # A file is a package that Go compiles only by itself.
        alone = target.name if target.package.endswith(".go") else ""
        groups.setdefault((target.module, target.tags, alone), []).append(target)
    return list(groups.values())


def _build(go: str, targets: list[Target], label: str, rest: str, report: Report) -> None:
    module, tags = targets[0].module, targets[0].tags
    folder = cache_of(module)
    final = folder / "bin"
    final.mkdir(parents=True, exist_ok=True)
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    log = logs / f"{targets[0].name}.log"
    temporary = final / ".building"  # one name is enough: we hold the lock
    flags = ["-mod=readonly", "-buildvcs=false", *COMPILER_FLAGS, "-ldflags", ldflags(module)]
    flags += _replaced(module, folder)
    flags += ["-tags", tags] if tags else []
    # With a slash at the end, `go` writes one file for each package.
    command = [
        go,
        "build",
        "-v",
        *flags,
        "-o",
        f"{temporary}/",
        *(source for target in targets for source in target.sources),
    ]
    began = time.monotonic()
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        code = run_logged(
            command,
            log,
            lambda seconds: report(f"{label}: {seconds:.0f} s, {_build_summary(log)}{rest}"),
            env=environment(),
            folder=TOOLCHAIN_FOLDER / module,
        )
        if code != 0:
            raise BuildError(failure(f"build {_names(targets)}", log.read_text(errors="replace"), log))
        for target in targets:
            program = temporary / target.executable
            program.chmod(0o755)
            program.replace(_binary(target))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    report(f"{label}: ready after {time.monotonic() - began:.0f} s{rest}")


def _replaced(module: str, folder: Path) -> list[str]:
    """The flag for dependencies with some or all of their files exchanged, where the module has an overlay.json.

    It maps files of Go modules to files beside it, or to nothing, and a whole module to a folder beside it: for
    packages that need a C compiler and libraries, and for what takes long to compile or to start and no rehearsal
    uses. Go's own overlays leave its module cache alone, so that copies are named by a go.mod of their own.
    """
    described = TOOLCHAIN_FOLDER / module / "overlay.json"
    if not described.exists():
        return []
    lines = [(TOOLCHAIN_FOLDER / module / "go.mod").read_text(encoding="utf-8")]
    replacements: dict[str, dict[str, str] | str] = json.loads(described.read_text(encoding="utf-8"))
    for dependency, files in replacements.items():
        copy = folder / "replaced" / dependency
        if isinstance(files, str):
            _copy(TOOLCHAIN_FOLDER / module / files, copy)
        else:
            _copy(module_dir(dependency, module), copy)
            for name, own in files.items():
                (copy / name).unlink(missing_ok=True)
                if own:
                    (copy / name).parent.mkdir(parents=True, exist_ok=True)
                    (copy / name).write_bytes((TOOLCHAIN_FOLDER / module / own).read_bytes())
        if not (copy / "go.mod").exists():
            (copy / "go.mod").write_text(f"module {dependency}\n", encoding="utf-8")
        lines.append(f"replace {dependency} => {copy}\n")
    (folder / "go.mod").write_text("\n".join(lines), encoding="utf-8")
    shutil.copy(TOOLCHAIN_FOLDER / module / "go.sum", folder / "go.sum")
    return [f"-modfile={folder / 'go.mod'}"]


def _copy(source: Path, target: Path) -> None:
    """Copy the files of a folder, which Go's module cache write-protects, as files that can be written."""
    for file in (path for path in source.rglob("*") if path.is_file()):
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())


def run_logged(
    command: Sequence[str | Path],
    log: Path,
    progress: Callable[[float], None],
    *,
    env: Mapping[str, str],
    folder: Path | None = None,
) -> int:
    """Run a command to its end and return its status. Its output goes to a file, an interruption terminates it.

    Calls `progress` with the seconds since the start, at least every 10 s.
    """
    began = reported_at = time.monotonic()
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT, env=env) as child,
    ):
        try:
            while True:
                try:
                    return child.wait(timeout=0.25)
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                    if now - reported_at >= _SECONDS_BETWEEN_LINES:
                        progress(now - began)
                        reported_at = now
        except BaseException:
            child.terminate()
            raise


def _build_summary(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    fetched = sum(line.startswith("go: downloading") for line in lines)
    compiled = sum(" " not in line for line in lines)
    parts = [f"{fetched} modules fetched"] if fetched else []
    return ", ".join([*parts, f"{compiled} packages compiled"])


def _names(targets: Iterable[Target]) -> str:
    return ", ".join(target.name for target in targets)
