"""The page: a table of what was compared with sources, a table of what ran, and what could not be obtained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from llm_d_gke import catalog
from llm_d_gke.catalog.release import Release
from llm_d_gke.catalog.upstream import load_upstream
from llm_d_gke.operations.adopt.parts import images
from llm_d_gke.operations.conformance import (
    engines,
    kinds,
    option_values,
    picker_parameters,
    programs,
    random_stacks,
    record,
)
from llm_d_gke.operations.conformance.compare import DIFFERS, Cell, cells_of
from llm_d_gke.operations.conformance.rendered import ROOT, plans_of, rendered, shape, stacks, variants_of
from llm_d_gke.planning import StackPlan

_REHEARSED: Final = Path(__file__).with_name("rehearsed.yaml")
PAGE: Final = ROOT / "docs" / "conformance.md"


def page() -> str:
    """The whole text. Runs nothing: what ran was kept by `make conformance`."""
    earlier = {(run.release, run.part): run for run in record.load()}
    compared: list[Cell] = []
    ran: list[tuple[str, str]] = []
    missing: list[str] = []
    planned: list[str] = []
    for release in catalog.load().releases.values():
        plans = plans_of(release.name)
        planned.append(f"{release.name} {len(plans)}")
        compared += cells_of(release, plans)
        for row, result in _ran(release, plans, earlier):
            ran.append((row, result))
        missing += _missing(release, earlier)
    counts = Counter(result for _, result in ran)
    lines = [
        "# Conformance",
        "",
        "What the project's stacks render for the parts of each release. `make conformance` writes this page.",
        "",
        f"Of {len(stacks())} stacks each release plans: {', '.join(planned)}. The others are refused with findings.",
        "",
        "## What ran",
        "",
        "Real parts that a registry serves, on what all stacks render for them: pickers, model routers and sidecars"
        " parse their flags and load their configuration, also of variants with features that no stack uses"
        " (llm_d_gke/operations/conformance/variants.yaml); vLLM's own parser parses the engine's arguments; objects of"
        " eight stacks go to a real API server with the CRDs of the release's charts, which checks schemas and CEL"
        " rules, and to the code of the charts' webhooks. A result stays until flags, plugins or fields change.",
        "",
        f"Accepted {counts['accepted'] + counts['accepted, with deprecations']}, refused {counts['**refused**']},"
        f" changed since or not run yet {counts['changed since'] + counts['not run yet']},"
        f" left out {len(missing)}.",
        "",
        "| release | part | what ran | on | result | date |",
        "|---|---|---|---|---|---|",
        *(row for row, _ in ran),
        "",
        "### What did not run",
        "",
        *(f"- {line}" for line in missing),
        "",
        "### Random stacks",
        "",
        "Stacks of many settings at once, on all accelerators (`python -m"
        " llm_d_gke.operations.conformance.random_stacks`); the others are refused with findings.",
        "",
        *random_stacks.lines(),
        "",
        "### Parameters of plugins",
        "",
        "Each parameter of each plugin, and of the groups in it, got a value of every JSON type and numbers at edges"
        " of ranges, one start of the real picker for each (`python -m"
        " llm_d_gke.operations.conformance.picker_parameters`). Planner and picker agree where both take a value, or"
        " where both refuse it. A value out of range that a picker takes is a warning (LLMD-PICKER-PARAMETER-RANGE)."
        " Left out:"
        f" {'; '.join(picker_parameters.LEFT_OUT.values())}; names of other plugins.",
        "",
        *picker_parameters.lines(),
        "",
        "### Values of vLLM's options",
        "",
        "Every option that a stack may write in `extraArgs`, with words of every kind and with each of its own choices,"
        " in the parser of vLLM and in the planner (`python -m llm_d_gke.operations.conformance.option_values`). What"
        " vLLM alone refuses is in llm_d_gke/operations/conformance/option_values.yaml.",
        "",
        *option_values.lines(),
        "",
        "## Rehearsed with the release's own picker",
        "",
        *rehearsed(),
        "",
        "## Compared with sources",
        "",
        f"Flags, arguments, plugin names and labels against the sources of the parts as recorded on"
        f" {load_upstream().date}, and versions that have to agree. Nothing of this table ran.",
        "",
        "| release | part | version | compared | result |",
        "|---|---|---|---|---|",
    ]
    for cell in compared:
        result_cell = "; ".join((cell.result, *cell.lines))
        lines.append(f"| {cell.release} | {cell.part} | {cell.version} | {cell.compared} | {result_cell} |")
    return "\n".join(lines) + "\n"


def rehearsed() -> Iterator[str]:
    """What came out where a picker was built from its repository and named by REHEARSAL_EPP. Written by hand."""
    tree = yaml.safe_load(_REHEARSED.read_text(encoding="utf-8"))
    yield tree["how"].strip()
    yield ""
    yield "| stack | picker | result | date |"
    yield "|---|---|---|---|"
    for stack, result in tree["stacks"].items():
        yield f"| {stack} | {tree['picker']} | {result} | {tree['date']} |"
    loaded = tree["loaded"]
    yield ""
    yield "### Loaded without a cluster"
    yield ""
    yield loaded["how"].strip()
    yield ""
    yield "| stack | picker | result | date |"
    yield "|---|---|---|---|"
    for stack, result in loaded["stacks"].items():
        yield f"| {stack} | {tree['picker']} | {result} | {loaded['date']} |"


def _ran(
    release: Release, plans: Mapping[str, StackPlan], earlier: Mapping[tuple[str, str], record.Run]
) -> Iterator[tuple[str, str]]:
    programs_given = {**plans, **variants_of(release.name)}
    for part, image in _judged(release, plans, earlier):
        given = rendered(plans if part.startswith("engine") else programs_given, image) if image else []
        if image and not given:
            continue
        run = earlier.get((release.name, part))
        if run is None:
            yield f"| {release.name} | {part} |  |  | not run yet |  |", "not run yet"
            continue
        result = "**refused**" if run.refused else "accepted, with deprecations" if run.lines else "accepted"
        if image and shape(given) != run.shape:
            result = "changed since"
        result_cell = "; ".join((result, *(line.replace("|", "/") for line in run.lines)))
        yield f"| {release.name} | {part} | {run.judge} | {run.given} | {result_cell} | {run.date} |", result


def _has(kind: kinds.Kinds, plans: Mapping[str, StackPlan]) -> bool:
    """Whether a release plans a stack that has objects of a chart."""
    stacks = {"KServe": "kserve-", "LeaderWorkerSet": "mixture-of-experts-wide"}
    return any(name.startswith(stacks[kind.part]) for name in plans)


def _judged(
    release: Release, plans: Mapping[str, StackPlan], earlier: Mapping[tuple[str, str], record.Run]
) -> Iterator[tuple[str, str]]:
    """Parts of a release that a registry serves or that were built from their repository: name, image if any."""
    for part, image in images(release).items():
        if programs.is_pinned(image) or (release.name, part) in earlier:
            yield part, image
    yield kinds.OTHERS, ""
    for kind in kinds.PARTS:
        if kinds.served(kind, release) is not None and _has(kind, plans):
            yield kind.part, ""
    for part, engine in (("engine on GPU", release.engine.gpu), ("engine on TPU", release.engine.tpu)):
        if engine is not None and engines.published(engine.version) is not None:
            yield part, engine.image


def _missing(release: Release, earlier: Mapping[tuple[str, str], record.Run]) -> Iterator[str]:
    for part, image in images(release).items():
        if not programs.is_pinned(image) and (release.name, part) not in earlier:
            yield f"{release.name}, {part}: the Go module proxy did not serve that of `{image.rpartition('/')[2]}`"
    for kind in kinds.PARTS:
        if kinds.served(kind, release) is None:
            chart = kind.chart(release)
            yield f"{release.name}, {kind.part}: the Go module proxy did not serve {chart.version}"
    for part, engine in (("engine on GPU", release.engine.gpu), ("engine on TPU", release.engine.tpu)):
        if engine is not None and engines.published(engine.version) is None:
            yield f"{release.name}, {part}: no parser of vLLM {engine.version} is used here"
    yield f"{release.name}, cert-manager and Istio: a rehearsal installs their CRDs, their programs did not run"


def is_red(text: str) -> bool:
    return DIFFERS in text or "**refused**" in text
