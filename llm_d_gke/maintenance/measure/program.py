"""The program itself: planning, previews by the real engine, imports, a second stack, many stacks.

Every figure is the median (and the least) of several runs on the machine at hand; ratios come from one run, the two
sides taking turns.
"""

from __future__ import annotations

import gc
import importlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes

from llm_d_gke import catalog
from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.maintenance.measure.table import MEDIAN_COLUMNS, median_ratio, print_median, timed
from llm_d_gke.planning.context import Findings
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.planner import plan_raw, plan_with_findings
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.properties import unwrap_secrets
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import engine, run_program
from llm_d_gke.resource_graph import Graph, record
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig
from llm_d_gke.stackfile import load as load_stack

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
            mine = timed(lambda: pulumi.stack.preview(program=run_program))
            other = timed(lambda: pulumi.stack.preview(program=flat))
            # The first round imports the SDKs.
            if number:
                ours.append(mine)
                theirs.append(other)
    print(f"\npreview of {len(graph.resources)} resources, in one process, taking turns")
    print_head("what", *MEDIAN_COLUMNS)
    print_median("this program", ours)
    print_median("flat program", theirs)
    print(f"\nratio, median of the pairs: {median_ratio(ours, theirs):.2f}")


def growth(sizes: tuple[int, ...] = (1, 8, 32, 125), rounds: int = 3) -> None:
    """First previews of ever more models, by the real engine: milliseconds per resource."""
    configuration = load(PROJECT_ROOT, "multi-model-gpu")
    print_head("models", "resources", "preview, median", "per resource", "runs")
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


def second_stack(rounds: int = 7) -> None:
    """Processor time that a second stack of a program adds, relative to the first one's.

    The program plans its stacks and registers their resources with the recorder of resource graphs, so that neither the
    engine's time nor that of the imports is measured.
    """
    stack = "multi-model-gpu"
    own = {"project": "my-project", "huggingFace": {"existingSecret": "hugging-face"}}
    settings = {**load_stack(PROJECT_ROOT, stack).settings(), **own}

    def seconds(stacks: int) -> float:
        def program() -> None:
            for number in range(stacks):
                InferenceStack(f"stack-{number}", settings)

        gc.collect()
        # As the project's own program does.
        gc.disable()
        duration = timed(lambda: record(program, stack="dev"), time.process_time)
        gc.enable()
        return duration

    # The first round imports the SDKs.
    pairs = [(seconds(1), seconds(2)) for _ in range(rounds + 1)][1:]
    first = [single for single, _ in pairs]
    added = [both - single for single, both in pairs]
    print_head("stack", "first stack, median", "second one adds", "ratio, median", "runs")
    medians = (f"{statistics.median(times):.2f} s" for times in (first, added))
    print_row(stack, *medians, f"{median_ratio(added, first):.2f}", rounds)


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
    print_head("import of the program, CPU time", *MEDIAN_COLUMNS)
    print_median("this checkout", seconds[PROJECT_ROOT])
    print_median("the other one", seconds[other])
    print(f"\nratio, median of the pairs: {median_ratio(seconds[PROJECT_ROOT], seconds[other]):.2f}")


def _children_cpu() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def flat_program(graph: Graph) -> Callable[[], None]:
    """A program that registers every resource of a recorded graph one by one, from literals.

    It has no settings, plan, components or dependencies: the comparison of `preview`.
    """
    literals = [(resource, unwrap_secrets(resource.inputs)) for resource in graph.resources if resource.custom]
    kubeconfig = next(inputs for resource, inputs in literals if resource.type == "pulumi:providers:kubernetes")

    def program() -> None:
        cloud = gcp.Provider("gcp", project="rehearsal-project")
        cluster = kubernetes.Provider(
            "kubernetes", kubeconfig=kubeconfig["kubeconfig"], cluster_identifier=kubeconfig["clusterIdentifier"]
        )
        for number, (resource, inputs) in enumerate(literals):
            if resource.type.startswith("gcp:"):
                _class(resource.type)(
                    f"{resource.name}-{number}", **_snake(inputs), opts=pulumi.ResourceOptions(provider=cloud)
                )
            elif resource.type.startswith("kubernetes:"):
                _kubernetes(
                    f"{resource.name}-{number}", resource.type, inputs, pulumi.ResourceOptions(provider=cluster)
                )

    return program


def _kubernetes(name: str, token: str, inputs: dict[str, Any], options: pulumi.ResourceOptions) -> None:
    rest = {key: value for key, value in inputs.items() if key not in ("apiVersion", "kind")}
    try:
        kind = _class(token)
    except (AttributeError, ModuleNotFoundError):
        kubernetes.apiextensions.CustomResource(
            name, api_version=inputs["apiVersion"], kind=inputs["kind"], opts=options, **rest
        )
        return
    kind(name, opts=options, **_snake(rest))


def _class(token: str) -> Any:
    """`kubernetes:apps/v1:Deployment` and `gcp:compute/network:Network` as the SDK's classes."""
    package, module, name = token.split(":")
    path = module.split("/")
    if package == "gcp":
        return getattr(importlib.import_module(f"pulumi_gcp.{path[0]}"), name)
    group = path[0].removesuffix(".k8s.io").split(".")[0]
    return getattr(importlib.import_module(f"pulumi_kubernetes.{group}.{path[1]}"), name)


def _snake(inputs: dict[str, Any]) -> dict[str, Any]:
    return {re.sub(r"(?<!^)([A-Z])", r"_\1", key).lower(): value for key, value in inputs.items()}
