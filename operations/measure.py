"""Measures what docs/measurements.md states: `python -m operations.measure [preview|life|growth]`.

Every figure is the median (and the least) of several runs on the machine at hand; ratios come from one run, the two sides
taking turns. Nothing here is a test: machines differ.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from operations.flat_program import count, flat_program
from rehearsal import processes
from rehearsal.configuration import load
from rehearsal.engine import engine, run_program
from rehearsal.paths import PROJECT_ROOT, StackPaths
from rehearsal.recording import record_stack

_STACK = "gpu"


def _silent(_: str) -> None:
    return


def _row(name: str, seconds: list[float], unit: str = "s") -> None:
    print(
        f"| {name} | {statistics.median(seconds):.2f} {unit} | {min(seconds):.2f} {unit} | {len(seconds)} |", flush=True
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def preview(rounds: int = 7) -> None:
    """A first preview of the whole stack against a flat program with the same resources, taking turns."""
    configuration = load(PROJECT_ROOT, _STACK)
    graph = record_stack(_STACK, configuration, preview=False)
    flat = flat_program(graph)
    ours: list[float] = []
    theirs: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        engine(StackPaths(_STACK, Path(folder)), configuration, _silent) as pulumi,
    ):
        for number in range(rounds + 1):
            mine = _timed(lambda: pulumi.stack.preview(program=run_program))
            other = _timed(lambda: pulumi.stack.preview(program=flat))
            # The first round imports the SDKs.
            if number:
                ours.append(mine)
                theirs.append(other)
    print(f"\npreview of {count(graph)} resources, in one process, taking turns\n")
    print("| what | median | least | runs |\n|---|---|---|---|")
    _row("this program", ours)
    _row("flat program", theirs)
    pairs = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    print(f"\nratio, median of the pairs: {statistics.median(pairs):.2f}")


def life(rounds: int = 3) -> None:
    """Whole commands on a machine with warm caches: up to the answer, a preview of nothing, memory, down."""
    commands: dict[str, list[float]] = {name: [] for name in ("up", "preview", "down")}
    memory: list[float] = []

    def command(name: str) -> None:
        argv = [sys.executable, "-m", "rehearsal", name, _STACK]
        seconds = _timed(lambda: subprocess.run(argv, cwd=PROJECT_ROOT, check=True, capture_output=True))
        commands[name].append(seconds)

    for _ in range(rounds):
        command("up")
        command("preview")
        paths = StackPaths(_STACK)
        running = [one for one in processes.listing(paths) if one.alive]
        memory.append(sum(processes.resident_bytes(one) for one in running) / 2**20)
        command("down")
    print(f"\nstack {_STACK}, {rounds} times up, preview without changes, down\n")
    print("| what | median | least | runs |\n|---|---|---|---|")
    for name, seconds in commands.items():
        _row(f"make {name}", seconds)
    _row("resident memory of all processes", memory, "MiB")


def main() -> None:
    wanted = sys.argv[1:] or ["preview", "life"]
    for name in wanted:
        {"preview": preview, "life": life}[name]()


if __name__ == "__main__":
    main()
