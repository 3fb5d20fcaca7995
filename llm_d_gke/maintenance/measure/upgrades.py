"""Measures requests lost during an upgrade and the way back, on a stack that is rehearsed on this machine.

`python -m llm_d_gke.maintenance.measure.upgrades STACK BEFORE AFTER [PATH=VALUE ...]` brings the stack up with BEFORE,
upgrades it to AFTER and rolls it back, under 20 requests a second, and destroys it. Run it in a copy of the project: it
writes the settings and the release into the stack file. Nothing here is a test: machines differ.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import yaml

from llm_d_gke import stackfile
from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.cli.options import overrides
from llm_d_gke.maintenance.measure.traffic import Request, Sample, Steady
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.terminal.status import reachable
from llm_d_gke.stackfile import PROJECT_ROOT

_STEP = "step "


def measure(stack: str, before: str, after: str, changes: Sequence[str]) -> None:
    _write_settings(stack, {"llm-d:release": before, **overrides(changes)})
    _run("up", stack)
    models = load(PROJECT_ROOT, stack).settings()["models"]
    model = str(models[0].get("servedName") or models[0]["id"])
    print_head("from, to", "requests", "not answered with 200", "in which step", "seconds")
    try:
        for title, command in (
            (f"{before}, {after}", ("upgrade", stack, after)),
            (f"{after}, {before}", ("rollback", stack)),
        ):
            with Steady(Request(reachable(StackPaths(stack)), model, "is the number.")) as load_of_requests:
                load_of_requests.await_answers(40)
                began = time.monotonic()
                steps = _run(*command)
                seconds = time.monotonic() - began
                load_of_requests.await_answers(100, since=time.monotonic())
            unanswered = load_of_requests.unanswered
            failures = (len(unanswered), _where(unanswered, steps))
            print_row(title, len(load_of_requests.samples), *failures, f"{seconds:.0f}")
    finally:
        _run("down", stack)


def _write_settings(stack: str, changes: Mapping[str, str]) -> None:
    """Change a stack file: a release may need them before and after, and `upgrade -c` changes only what comes after."""
    values = stackfile.load(PROJECT_ROOT, stack, changes).values
    text = yaml.safe_dump({"config": dict(values)}, sort_keys=False)
    stackfile.stack_file(PROJECT_ROOT, stack).write_text(text, encoding="utf-8")


def _run(*command: str) -> list[tuple[float, str]]:
    """Run a command; its steps with the moments at which they began. Raises CalledProcessError."""
    argv = [sys.executable, "-u", "-m", "llm_d_gke", *command]
    steps: list[tuple[float, str]] = []
    lines: list[str] = []
    with subprocess.Popen(argv, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line)
            if line.startswith(_STEP):
                steps.append((time.monotonic(), line.partition(": ")[2].strip()))
    if child.returncode:
        print("".join(lines[-60:]), file=sys.stderr)
        raise subprocess.CalledProcessError(child.returncode, argv)
    return steps


def _where(unanswered: Sequence[Sample], steps: Sequence[tuple[float, str]]) -> str:
    """The number of lost requests by the step that ran when they were sent, with their statuses and moments."""
    counts: Counter[str] = Counter()
    moments: dict[str, list[float]] = {}
    for sample in unanswered:
        began, name = next(((start, name) for start, name in reversed(steps) if start <= sample.began), (0.0, "before"))
        key = f"{name} (status {sample.status})"
        counts[key] += 1
        moments.setdefault(key, []).append(sample.began - began)
    return "; ".join(
        f"{number}: {key}, {min(moments[key]):.1f} to {max(moments[key]):.1f} s after its begin"
        for key, number in counts.items()
    )


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
