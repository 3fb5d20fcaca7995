"""Measures what docs/measurements.md states.

`python -m llm_d_gke.operations.measure [PART...]`: all parts without one. Parts are plan, preview, life, growth,
switches, fleet, scaling, edge, faults and priorities.

`python -m llm_d_gke.operations.measure imports CHECKOUT` compares the import of the program
with that of another checkout.

Every figure is the median (and the least) of several runs on the machine at hand; ratios come from one run, the two
sides taking turns. Nothing here is a test: machines differ.
"""

from __future__ import annotations

import gc
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from llm_d_gke import catalog
from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.operations.flat_program import flat_program
from llm_d_gke.operations.measure_edge import edge
from llm_d_gke.operations.measure_faults import faults
from llm_d_gke.operations.measure_priorities import priorities
from llm_d_gke.operations.measure_scaling import scaling
from llm_d_gke.operations.traffic import Request, Steady
from llm_d_gke.planning.context import Findings
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.planner import plan_raw, plan_with_findings
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import engine, run_program
from llm_d_gke.rehearsal.terminal.endpoint import reachable
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig

_STACK = "gpu"


def _silent(_: str) -> None:
    return


def _row(name: str, seconds: list[float], unit: str = "s") -> None:
    print(
        f"| {name} | {statistics.median(seconds):.2f} {unit} | {min(seconds):.2f} {unit} | {len(seconds)} |", flush=True
    )


def _timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


def plan(rounds: int = 200) -> None:
    """Settings to plan, verdicts included: one stack, and one of a hundred models. The catalog is loaded.

    CPU time: planning waits for nothing, and a busy machine takes several times as long.
    """
    cpu = time.process_time
    configuration = load(PROJECT_ROOT, _STACK)
    values = configuration.settings()
    catalog.load()
    plan_raw(_STACK, values, frozenset({"huggingFace"}))
    single = [_timed(lambda: plan_raw(_STACK, values, frozenset({"huggingFace"})), cpu) for _ in range(rounds)]
    _row("one stack, one model", [1000 * seconds for seconds in single], "ms")
    _row("one stack, a hundred models", [_timed(lambda: _many(configuration, 100), cpu) for _ in range(5)])


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
    print(f"\npreview of {len(graph.resources)} resources, in one process, taking turns\n")
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
        argv = [sys.executable, "-m", "llm_d_gke.rehearsal", name, _STACK]
        seconds = _timed(lambda: subprocess.run(argv, cwd=PROJECT_ROOT, check=True, capture_output=True))
        commands[name].append(seconds)

    for _ in range(rounds):
        command("up")
        command("preview")
        paths = StackPaths(_STACK)
        running = [process for process in processes.listing(paths) if process.alive]
        memory.append(sum(processes.resident_bytes(process) for process in running) / 2**20)
        command("down")
    print(f"\nstack {_STACK}, {rounds} times up, preview without changes, down\n")
    print("| what | median | least | runs |\n|---|---|---|---|")
    for name, seconds in commands.items():
        _row(f"make {name}", seconds)
    _row("resident memory of all processes", memory, "MiB")


def switches(rounds: int = 1) -> None:
    """Requests lost while a running stack changes between the ways to deploy, at 20 requests a second."""
    cluster = ["-c", "llm-d:accelerator.nodes.max=2"]  # KServe's server starts on a spare node
    # KServe's kinds go with its chart.
    for name, value in (("id", "LLMD-PREFLIGHT-DELETES"), ("reason", "a measurement")):
        cluster += ["-c", f"llm-d:acknowledge[1].{name}={value}"]
    order = ("kserve", "direct", "kserve", "direct") * rounds

    def up(deployment: str) -> None:
        argv = [
            sys.executable,
            "-m",
            "llm_d_gke.rehearsal",
            "up",
            _STACK,
            "-c",
            f"llm-d:deployment={deployment}",
            *cluster,
        ]
        subprocess.run(argv, cwd=PROJECT_ROOT, check=True, capture_output=True)

    up("direct")
    print("\n| to | requests | not answered with 200 | seconds of `up` |\n|---|---|---|---|")
    for deployment in order:
        request = Request(reachable(StackPaths(_STACK)), "google/gemma-2b-it", "is the number.")
        with Steady(request) as load:
            time.sleep(2)
            seconds = _timed(lambda deployment=deployment: up(deployment))  # type: ignore[misc]
            time.sleep(5)
        print(f"| {deployment} | {len(load.samples)} | {len(load.unanswered)} | {seconds:.0f} |", flush=True)
    subprocess.run([sys.executable, "-m", "llm_d_gke.rehearsal", "down", _STACK], cwd=PROJECT_ROOT, check=True)


def growth(sizes: tuple[int, ...] = (1, 8, 32, 125), rounds: int = 3) -> None:
    """First previews of ever more models, by the real engine: milliseconds per resource."""
    configuration = load(PROJECT_ROOT, "multi-model-gpu")
    print("\n| models | resources | preview, median | per resource | runs |\n|---|---|---|---|---|")
    for models in sizes:
        plan = _many(configuration, models)
        registered = 0

        def program(plan: StackPlan = plan) -> None:
            # As `__main__.py` does, and for its reason.
            gc.disable()
            InferenceStack(plan.stack, plan, prefix="")

        with (
            tempfile.TemporaryDirectory() as folder,
            engine(StackPaths("multi-model-gpu", Path(folder)), configuration, _silent) as pulumi,
        ):
            seconds = []
            for number in range(rounds + 1):
                began = time.perf_counter()
                result = pulumi.stack.preview(program=program)
                # The first one imports the SDKs.
                if number:
                    seconds.append(time.perf_counter() - began)
                registered = sum(int(number) for number in result.change_summary.values())
        middle = statistics.median(seconds)
        per_object = middle / registered * 1000
        print(f"| {models} | {registered} | {middle:.2f} s | {per_object:.1f} ms | {rounds} |", flush=True)


def fleet(sizes: tuple[int, ...] = (1, 10, 50), jobs: int = 2) -> None:
    """Previews of ever more stacks by one command: seconds a stack, and processor time of all processes a stack."""
    text = (PROJECT_ROOT / f"Pulumi.{_STACK}.yaml").read_text(encoding="utf-8")
    print("\n| stacks | whole command | seconds a stack | processor time a stack |\n|---|---|---|---|")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(size):
                Path(folder, f"Pulumi.{_STACK}-{number}.yaml").write_text(text, encoding="utf-8")
            shutil.copy(PROJECT_ROOT / "Pulumi.yaml", folder)
            argv = [sys.executable, "-m", "llm_d_gke", "fleet", "--folder", folder, "--jobs", str(jobs)]
            before = _children_cpu()
            seconds = _timed(lambda argv=argv: subprocess.run(argv, cwd=PROJECT_ROOT, check=True, capture_output=True))  # type: ignore[misc]
            used = _children_cpu() - before
        print(f"| {size} | {seconds:.1f} s | {seconds / size:.2f} s | {used / size:.2f} s |", flush=True)


def _many(configuration: StackConfig, models: int) -> StackPlan:
    """A plan with that many models. The findings (too many rules for one route, too few nodes) do not matter here."""
    values = configuration.settings()
    first = values["models"][0]
    values["models"] = [{**first, "servedName": f"model-{number}"} for number in range(models)]
    settings = StackSettings.model_validate(values)
    findings = Findings()
    plan = plan_with_findings("many", settings, catalog.load(), frozenset({"huggingFace"}), findings)
    if plan is None:
        raise SystemExit(str(findings))
    return plan


def imports(other: Path, rounds: int = 7) -> None:
    """CPU time of importing the stack's components in new processes, here and in another checkout, taking turns."""
    seconds: dict[Path, list[float]] = {PROJECT_ROOT: [], other: []}
    for number in range(rounds + 1):
        for checkout, figures in seconds.items():
            # Commits before ADR 0039 have no package llm_d_gke.
            module = "llm_d_gke.components.stack" if (checkout / "llm_d_gke").is_dir() else "components.stack"
            before = _children_cpu()
            subprocess.run([sys.executable, "-c", f"import {module}"], cwd=checkout, check=True)
            # The first round writes the bytecode.
            if number:
                figures.append(_children_cpu() - before)
    print("| import of the program, CPU time | median | least | runs |\n|---|---|---|---|")
    _row("this checkout", seconds[PROJECT_ROOT])
    _row("the other one", seconds[other])
    pairs = [mine / theirs for mine, theirs in zip(seconds[PROJECT_ROOT], seconds[other], strict=True)]
    print(f"\nratio, median of the pairs: {statistics.median(pairs):.2f}")


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    if sys.argv[1:2] == ["imports"] and len(sys.argv) == 3:
        imports(Path(sys.argv[2]).resolve())
        return
    parts: dict[str, Callable[[], None]] = {
        part.__name__: part
        for part in (plan, preview, life, growth, switches, fleet, scaling, edge, faults, priorities)
    }
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
