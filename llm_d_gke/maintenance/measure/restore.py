"""Rehearses a restore in another region: `python -m llm_d_gke.maintenance.measure.restore STACK LOCATION`.

Brings the stack up on this machine and loses its region without a destroy: cluster, simulated Google Cloud and Pulumi's
state. Then restores it under a name of its own from what is kept, the stack file, in LOCATION: `up`, `verify` with a
chat request, `down`. Prints the seconds of each step. Exit status 1 if one fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import yaml

from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.maintenance.interruptions.run import clear
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, StackFileError, stack_file

_SUFFIX = "restored"


def write_restored(root: Path, stack: str, location: str) -> tuple[str, Path]:
    """Write the stack file of the restore: everything but the location is in the old one. Returns its stack, too.

    Raises StackFileError if the file exists.
    """
    name = f"{stack}-{_SUFFIX}"
    target = root / f"Pulumi.{name}.yaml"
    if target.exists():
        raise StackFileError(
            f"{target.name} exists: a restore is rehearsed in a stack of that name. Remove the file first"
        )
    base = stack_file(root, stack).relative_to(root)
    config = {f"{NAMESPACE}:base": str(base), f"{NAMESPACE}:location": location}
    target.write_text(yaml.safe_dump({"config": config}, sort_keys=False), encoding="utf-8")
    return name, target


def rehearse(stack: str, location: str) -> None:
    """Raises CalledProcessError when a step fails."""
    _step("backup-check", stack, "--location", location, accepted=(0, 1, 3))
    try:
        _step("up", stack)
    finally:
        clear(StackPaths(stack))
    name, file = write_restored(PROJECT_ROOT, stack, location)
    try:
        _step("diff", stack, name)
        _step("up", name)
        _step("verify", name)
        _step("down", name)
    finally:
        clear(StackPaths(name))
        file.unlink()


def _step(*words: str, accepted: tuple[int, ...] = (0,)) -> None:
    began = time.monotonic()
    argv = [sys.executable, "-m", "llm_d_gke", *words]
    done = subprocess.run(
        argv, cwd=PROJECT_ROOT, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode not in accepted:
        print(done.stdout, file=sys.stderr)
        raise subprocess.CalledProcessError(done.returncode, argv)
    print_row(" ".join(words), f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    print_head("step", "seconds")
    try:
        rehearse(sys.argv[1], sys.argv[2])
    except (subprocess.CalledProcessError, StackFileError) as failure:
        raise SystemExit(str(failure)) from None
