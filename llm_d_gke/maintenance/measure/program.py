"""The program itself: planning, previews by the real engine, many stacks. Each figure is a median of several runs."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from llm_d_gke import catalog
from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.maintenance.measure.table import print_median, timed
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.planner import plan_raw, plan_with_findings
from llm_d_gke.pulumi_speed import prepare_sdk
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import engine
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig

_STACK = "gpu"


def _silent(_: str) -> None:
    return


def plan(rounds: int = 200) -> None:
    """Settings to plan, verdicts included: one stack, and one of a hundred models. The catalog is loaded.

    CPU time: planning waits for nothing, and a busy machine takes several times as long.
    """
    cpu = time.process_time
    configuration = load(PROJECT_ROOT, _STACK)
    values = configuration.settings()
    catalog.load()
    plan_raw(_STACK, values, frozenset({"huggingFace"}))
    single = [timed(lambda: plan_raw(_STACK, values, frozenset({"huggingFace"})), cpu) for _ in range(rounds)]
    print_median("one stack, one model", [1000 * seconds for seconds in single], "ms")
    print_median("one stack, a hundred models", [timed(lambda: _many(configuration, 100), cpu) for _ in range(5)])


def growth(sizes: tuple[int, ...] = (1, 8, 32, 125), rounds: int = 3) -> None:
    """First previews of ever more models, by the real engine: milliseconds per resource."""
    configuration = load(PROJECT_ROOT, "multi-model-gpu")
    print_head("models", "resources", "preview, median", "per resource", "runs")
    for models in sizes:
        plan = _many(configuration, models)
        registered = 0

        def program(plan: StackPlan = plan) -> None:
            # As `__main__.py` does.
            prepare_sdk()
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
        print_row(models, registered, f"{middle:.2f} s", f"{per_object:.1f} ms", rounds)


def fleet(sizes: tuple[int, ...] = (1, 10, 50), jobs: int = 2) -> None:
    """Previews of ever more stacks by one command: seconds a stack, and processor time of all processes a stack."""
    text = (PROJECT_ROOT / f"Pulumi.{_STACK}.yaml").read_text(encoding="utf-8")
    print_head("stacks", "whole command", "seconds a stack", "processor time a stack")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(size):
                Path(folder, f"Pulumi.{_STACK}-{number}.yaml").write_text(text, encoding="utf-8")
            shutil.copy(PROJECT_ROOT / "Pulumi.yaml", folder)
            argv = [sys.executable, "-m", "llm_d_gke", "fleet", "--folder", folder, "--jobs", str(jobs)]
            before = _children_cpu()
            seconds = timed(lambda argv=argv: subprocess.run(argv, cwd=PROJECT_ROOT, check=True, capture_output=True))  # type: ignore[misc]
            used = _children_cpu() - before
        print_row(size, f"{seconds:.1f} s", f"{seconds / size:.2f} s", f"{used / size:.2f} s")


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


def _children_cpu() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
