"""docs/conformance.md: `python -m operations.conformance [--check]`.

What every stack of the project renders for a part of a release, against what the part's source was read to take. The
sources were recorded in catalog/upstream.yaml by `make adopt ARGS=--write`, so that this needs no network.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import catalog
from catalog.release import Release
from catalog.upstream import Program, load_upstream
from operations.adopt.parts import images
from planning import RefusedError, StackPlan, plan_raw
from planning.plan.pods import ContainerPlan
from rehearsal.pulumi_engine.configuration import load
from stackfile import PROJECT_ROOT, project_stacks

PAGE = PROJECT_ROOT / "docs" / "conformance.md"
# Some images are pulled with an account only.
_ACCOUNT = {"server": "registry.redhat.io", "username": "somebody", "password": "a stand-in"}
_CHARTS = ("KServe", "LeaderWorkerSet", "cert-manager", "Istio")


@dataclass(frozen=True)
class Cell:
    """One part of one release: what was compared, and what came out."""

    release: str
    part: str
    version: str
    compared: str
    result: str
    lines: tuple[str, ...] = field(default=())


def plans_of(release: str) -> dict[str, StackPlan]:
    """Stacks that a release plans, by name; those that it refuses are left out."""
    found = {}
    for stack in project_stacks():
        configuration = load(PROJECT_ROOT, stack, {"llm-d:release": release}, own_release=True)
        values = configuration.settings() | {"registry": _ACCOUNT}
        try:
            found[stack] = plan_raw(stack, values, configuration.encrypted() | {"registry"})
        except RefusedError:
            continue
    return found


def cells_of(release: Release, plans: Mapping[str, StackPlan]) -> Iterator[Cell]:
    yield from _programs(release, plans)
    yield from _engines(release, plans)
    for chart in _CHARTS:
        yield Cell(release.name, f"chart of {chart}", "", "", "not compared here")


def _programs(release: Release, plans: Mapping[str, StackPlan]) -> Iterator[Cell]:
    programs = load_upstream().programs
    pods = list(_containers(plans))
    known = catalog.load().pickers
    builds = {release.picker.image: release.picker.build}
    if release.disaggregation is not None and release.disaggregation.picker is not None:
        builds[release.disaggregation.picker.image] = release.disaggregation.picker.build
    for role, image in images(release).items():
        version = image.rpartition(":")[2]
        program = programs.get(image)
        if program is None:
            yield Cell(release.name, role, version, "", "source not available")
            continue
        given = {name for pod in pods if pod.image == image for name in names(pod)}
        lines = [*_flags(given, program)]
        compared = f"{len(given)} flags"
        if image in builds:
            listed = set(known[builds[image]].plugins)
            lines += [f"plugin {name} is listed on one side only" for name in sorted(listed ^ set(program.plugins))]
            compared += f", {len(listed)} plugins"
        if image == release.router.image:
            compared += ", the label of mappings"
            if program.labels != (release.router.mapping_label,):
                lines.append(f"the label is {', '.join(program.labels)}")
        yield Cell(release.name, role, version, compared, _result(lines, given), tuple(lines))


def _engines(release: Release, plans: Mapping[str, StackPlan]) -> Iterator[Cell]:
    read = load_upstream().vllm
    pods = list(_containers(plans))
    engine = release.engine
    for role, image in (("engine on GPU", engine.gpu), ("engine on TPU", engine.tpu)):
        if image is None:
            yield Cell(release.name, role, "", "", "the release has none")
        elif not read.covers(image.version):
            yield Cell(release.name, role, image.version, "", "source not available")
        else:
            given = {name for pod in pods if pod.image == image.image for name in names(pod)}
            gone = [
                name
                for name in sorted(given)
                if not any(
                    spelling in read.arguments and read.arguments[spelling].in_version(image.version)
                    for spelling in (name, name.removeprefix("no-"))
                )
            ]
            lines = tuple(f"argument --{name} does not exist" for name in gone)
            compared = f"{len(given)} arguments"
            if image.version not in read.versions:
                compared += ", with the versions before and after it"
            yield Cell(release.name, role, image.version, compared, _result(list(lines), given), lines)


def _containers(plans: Mapping[str, StackPlan]) -> Iterator[ContainerPlan]:
    for plan in plans.values():
        if plan.router is not None:
            yield plan.router.pod
        for model in plan.models:
            yield model.picker.pod
            for server in model.servers:
                yield server.pod
                yield from server.pod.sidecars


def names(pod: ContainerPlan) -> set[str]:
    """Flags of a container's arguments, without dashes and values."""
    return {arg.lstrip("-").partition("=")[0] for arg in pod.args if arg.startswith("-")}


def _flags(given: set[str], program: Program) -> Iterator[str]:
    for name in sorted(given):
        if name not in program.flags:
            yield f"flag --{name} does not exist"
        elif name in program.deprecated:
            yield f"flag --{name} is deprecated"


def _result(lines: list[str], given: set[str]) -> str:
    if not lines:
        return "agrees" if given else "nothing is rendered for it"
    return "agrees, with deprecations" if all(line.endswith("deprecated") for line in lines) else "**differs**"


def page() -> str:
    cells: list[Cell] = []
    planned: list[tuple[str, int]] = []
    for release in catalog.load().releases.values():
        plans = plans_of(release.name)
        planned.append((release.name, len(plans)))
        cells += cells_of(release, plans)
    count = len(project_stacks())
    lines = [
        "# Conformance",
        "",
        "What the project's stacks render for the parts of each release, compared with the sources of those parts as"
        f" recorded on {load_upstream().date}. Written by `python -m operations.conformance`. Nothing here ran: flags,"
        " arguments and plugin names were compared.",
        "",
        f"Of {count} stacks each release plans: "
        + ", ".join(f"{name} {number}" for name, number in planned)
        + ". The others are refused with findings.",
        "",
        "| release | part | version | compared | result |",
        "|---|---|---|---|---|",
    ]
    for cell in cells:
        said = "; ".join((cell.result, *cell.lines))
        lines.append(f"| {cell.release} | {cell.part} | {cell.version} | {cell.compared} | {said} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    text = page()
    if "--check" in arguments:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("docs/conformance.md is current" if current else "old: run python -m operations.conformance")
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    return 1 if "**differs**" in text else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
