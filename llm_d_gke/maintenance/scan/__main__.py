"""`python -m llm_d_gke.maintenance.scan`: print failures by check; status 1 on open ones."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from llm_d_gke.cli import markdown
from llm_d_gke.maintenance.fuzz.varied import kinds_of
from llm_d_gke.maintenance.scan import references, scanners
from llm_d_gke.maintenance.scan.exceptions import ScanException, load, sort_out, traits_of
from llm_d_gke.maintenance.scan.pods import (
    chart_objects,
    load_objects,
    plain_objects,
    random_objects,
    scanned_pods,
    stack_objects,
    stack_plan,
    staging_objects,
)
from llm_d_gke.maintenance.scan.scanners import Failure, ScanError
from llm_d_gke.planning import RefusedError
from llm_d_gke.stackfile import project_stacks

# What runs in the namespace of a stack, and not in those of its charts.
_SERVING = ("Deployment", "LeaderWorkerSet", "LLMInferenceService")
# Random stacks that are scanned together: about three minutes on two busy cores.
_BATCH = 20


def main(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks to scan. By default all of the project.")] = None,
    random: Annotated[int, typer.Option(min=0, help="Scan this number of random stacks instead.")] = 0,
    seed: Annotated[int, typer.Option(help="Another seed, other random stacks.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Keep the scanned manifests in this folder.")] = None,
) -> None:
    """Scan every pod of the stacks, of their charts, of the Jobs for weights and load, or of random stacks."""
    try:
        with TemporaryDirectory() as folder:
            place = out or Path(folder)
            if random:
                status = _scan_random(random, seed, place)
            else:
                status = _scan(stacks or project_stacks(), place, whole=not stacks)
    except (ScanError, RefusedError) as error:
        print(error, file=sys.stderr)
        status = 1
    raise typer.Exit(status)


def _scan(stacks: list[str], folder: Path, *, whole: bool) -> int:
    plans = {stack: stack_plan(stack) for stack in stacks}
    objects = {stack: stack_objects(plan) for stack, plan in plans.items()}
    objects |= {"stage": staging_objects(), "load": load_objects()}
    objects |= dict(chart_objects(plans.values()))
    with_policies(objects)
    open_, idle = _findings(objects, folder)
    return 1 if open_ or (whole and _refuse(idle)) else 0


def _scan_random(count: int, seed: int, folder: Path) -> int:
    """The same for random stacks, a batch after the other, so that a run that is cut off has shown what it had.

    Pods of charts are not among them: those of the project's stacks are the same. Each batch has a seed of its own.
    """
    open_: list[Failure] = []
    for first in range(0, count, _BATCH):
        batch_seed = seed + first // _BATCH
        objects, kinds = {}, Counter[str]()
        for name, values, bodies in random_objects(min(_BATCH, count - first), batch_seed):
            objects[name] = bodies
            kinds[kinds_of(values)] += 1
        with_policies(objects)
        print(f"seed {batch_seed}, {len(objects)} stacks:")
        print(*(f"{number:4d}  {kind}" for kind, number in sorted(kinds.items())), sep="\n")
        open_ += _findings(objects, folder / f"seed-{batch_seed}")[0]
        print(f"{first + len(objects)} of {count} random stacks, {len(open_)} failures outside exceptions", flush=True)
    return 1 if open_ else 0


def _findings(objects: Mapping[str, list[dict[str, Any]]], folder: Path) -> tuple[list[Failure], list[ScanException]]:
    """Run the scanners and print what they find: the open failures, and the exceptions that nothing needed."""
    pods = [pod for source, bodies in objects.items() for pod in scanned_pods(source, bodies)]
    scanners.write(folder, pods, {source: plain_objects(bodies) for source, bodies in objects.items()})
    failures = [*scanners.pod_security(pods), *scanners.checkov(folder), *scanners.kube_score(folder)]
    for source, bodies in objects.items():
        # A chart refers to objects of the cluster and of its own hooks.
        failures += () if source.startswith("chart/") else references.failures(source, bodies)
    open_, idle = sort_out(failures, load(), traits_of(pods))
    print(*table(failures, open_), sep="\n")
    stacks = sum(1 for source in objects if not source.startswith("chart/"))
    print(f"{len(pods)} pods of {stacks} sources, {len(failures)} failures, {len(open_)} outside exceptions")
    print(*_listed(open_), sep="\n")
    return open_, idle


def with_policies(objects: Mapping[str, list[dict[str, Any]]]) -> None:
    """A stack has policies for the namespaces of its charts, so they are scanned with the charts' pods."""
    policies = {
        (body["metadata"]["namespace"], body["metadata"]["name"]): body
        for source, bodies in objects.items()
        for body in bodies
        if body["kind"] == "NetworkPolicy" and not source.startswith("chart/")
    }
    for source, bodies in objects.items():
        if source.startswith("chart/"):
            own = {body["metadata"].get("namespace") for body in bodies if body["kind"] == "Deployment"}
            bodies += [policy for (namespace, _), policy in policies.items() if namespace in own]
        else:
            # Pods of charts are scanned once, with the chart.
            names = {body["metadata"]["name"] for body in bodies if body["kind"] == "Namespace"}
            # A member of a fleet has no Gateway.
            stacks_own = {body["metadata"]["namespace"] for body in bodies if body["kind"] in _SERVING}
            bodies[:] = [body for body in bodies if not _of_chart(body, names - stacks_own)]


def _of_chart(body: Mapping[str, Any], namespaces: Collection[str]) -> bool:
    return body["kind"] == "NetworkPolicy" and body["metadata"]["namespace"] in namespaces


def table(failures: Sequence[Failure], open_: Sequence[Failure]) -> list[str]:
    """Failures by scanner and check, and how many of them no exception covers."""
    every, outside = (Counter((failure.scanner, failure.check) for failure in some) for some in (failures, open_))
    texts = {(failure.scanner, failure.check): failure.text for failure in failures}
    rows = [(*key, count, outside[key], texts[key]) for key, count in sorted(every.items())]
    return list(markdown.table(("scanner", "check", "failures", "outside exceptions", "text"), rows))


def _listed(open_: Sequence[Failure]) -> list[str]:
    return [f"{failure.scanner} {failure.check} {failure.subject}: {failure.text}" for failure in sorted(set(open_))]


def _refuse(idle: Sequence[ScanException]) -> bool:
    for exception in idle:
        print(
            f"exception without a failure, remove it: {exception.scanner} {', '.join(exception.checks)}",
            file=sys.stderr,
        )
    return bool(idle)


if __name__ == "__main__":
    typer.run(main)
