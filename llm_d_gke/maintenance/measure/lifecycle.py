"""Whole commands on one rehearsed stack: up, preview and down, and requests lost by a change of `deployment`."""

from __future__ import annotations

import time

from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.maintenance.measure.rehearsed import options, rehearse, running
from llm_d_gke.maintenance.measure.table import MEDIAN_COLUMNS, print_median, timed
from llm_d_gke.maintenance.measure.traffic import Request, Steady
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.status import reachable

_STACK = "gpu"


def life(rounds: int = 3) -> None:
    """Whole commands on a machine with warm caches: up to the answer, a preview of nothing, memory, down."""
    commands: dict[str, list[float]] = {name: [] for name in ("up", "preview", "down")}
    memory: list[float] = []

    def run(command: str) -> None:
        commands[command].append(timed(lambda: rehearse(command, _STACK)))

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


def switches(rounds: int = 1) -> None:
    """Requests lost while a running stack changes between the ways to deploy, at 20 requests a second."""
    cluster = options(
        (
            # KServe's server starts on a spare node.
            "accelerator.nodes.max=2",
            # KServe's kinds go with its chart.
            "acknowledge[1].id=LLMD-PREFLIGHT-DELETES",
            "acknowledge[1].reason=a measurement",
        )
    )
    order = ("kserve", "direct", "kserve", "direct") * rounds

    with running(_STACK, *options(("deployment=direct",)), *cluster) as paths:
        print_head("to", "requests", "not answered with 200", "seconds of `up`")
        for deployment in order:
            words = (*options((f"deployment={deployment}",)), *cluster)
            with Steady(Request(reachable(paths), "google/gemma-2b-it", "is the number.")) as load:
                load.await_answers(40)
                seconds = timed(lambda words=words: rehearse("up", _STACK, *words))  # type: ignore[misc]
                load.await_answers(100, since=time.monotonic())
            print_row(deployment, len(load.samples), len(load.unanswered), f"{seconds:.0f}")
