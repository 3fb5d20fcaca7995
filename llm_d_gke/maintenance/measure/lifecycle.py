"""Whole commands on one rehearsed stack: up, preview and down."""

from __future__ import annotations

import subprocess
import sys

from llm_d_gke.cli.markdown import print_head
from llm_d_gke.maintenance.measure.table import MEDIAN_COLUMNS, print_median, timed
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.stackfile import PROJECT_ROOT

_STACK = "gpu"


def life(rounds: int = 3) -> None:
    """Whole commands on a machine with warm caches: up to the answer, a preview of nothing, memory, down."""
    commands: dict[str, list[float]] = {name: [] for name in ("up", "preview", "down")}
    memory: list[float] = []

    def run(command: str) -> None:
        argv = [sys.executable, "-m", "llm_d_gke.rehearsal", command, _STACK]
        commands[command].append(timed(lambda: subprocess.run(argv, cwd=PROJECT_ROOT, check=True, capture_output=True)))

    for _ in range(rounds):
        run("up")
        run("preview")
        paths = StackPaths(_STACK)
        running = [process for process in processes.listing(paths) if process.alive]
        memory.append(sum(processes.resident_bytes(process) for process in running) / 2**20)
        run("down")
    print(f"\nstack {_STACK}, {rounds} times up, preview without changes, down")
    print_head("what", *MEDIAN_COLUMNS)
    for name, seconds in commands.items():
        print_median(f"make {name}", seconds)
    print_median("resident memory of all processes", memory, "MiB")
