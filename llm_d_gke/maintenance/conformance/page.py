"""The page: a table of what was compared with sources, a table of what ran, and what could not be obtained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from llm_d_gke import catalog
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.catalog.release import Release
from llm_d_gke.catalog.upstream import load_upstream
from llm_d_gke.cli.markdown import row, table
from llm_d_gke.maintenance.conformance import (
    engines,
    kinds,
    option_values,
    picker_parameters,
    pickers_in_cluster,
    programs,
    random_stacks,
    record,
)
from llm_d_gke.maintenance.conformance.compare import DIFFERS, Cell, cells_of
from llm_d_gke.maintenance.conformance.names import engines_of
from llm_d_gke.maintenance.conformance.rendered import Rendered, plans_of, rendered, shape, variants_of
from llm_d_gke.maintenance.upstream.parts import images
from llm_d_gke.operations.templates import render
from llm_d_gke.planning import StackPlan
from llm_d_gke.stackfile import PROJECT_ROOT, project_stacks

_TEMPLATE: Final = Path(__file__).with_name("page.md.jinja")
_REHEARSED: Final = Path(__file__).with_name("rehearsed.yaml")
PAGE: Final = PROJECT_ROOT / "docs" / "conformance.md"


def page() -> str:
    """The whole text, from the results that `make conformance` stored. Runs nothing."""
    earlier = {(run.release, run.part): run for run in record.load()}
    compared: list[Cell] = []
    ran: list[tuple[str, str]] = []
    missing: list[str] = []
    planned: list[str] = []
    for release in catalog.load().releases.values():
        plans = plans_of(release.name)
        planned.append(f"{release.name} {len(plans)}")
        compared += cells_of(release, plans)
        ran += _ran(release, plans, earlier)
        missing += _missing(release, earlier)
    text = render(
        _TEMPLATE,
        stacks=len(project_stacks()),
        planned=planned,
        counts=Counter(result for _, result in ran),
        ran=[line for line, _ in ran],
        missing=missing,
        random_stacks=random_stacks.lines(),
        left_out=picker_parameters.LEFT_OUT.values(),
        picker_parameters=picker_parameters.lines(),
        option_values=option_values.lines(),
        rehearsed=rehearsed(),
        recorded=load_upstream().date,
        compared=compared,
    )
    return f"{text}\n"


def rehearsed() -> Iterator[str]:
    """What came out where a picker was built from its repository and named by REHEARSAL_EPP. Written by hand."""
    tree = read_yaml(_REHEARSED)
    loaded = tree["loaded"]

    def results(runs: Mapping[str, Any]) -> Iterator[str]:
        rows = [(stack, tree["picker"], result, runs["date"]) for stack, result in runs["stacks"].items()]
        return table(("stack", "picker", "result", "date"), rows)

    yield from (tree["how"].strip(), "", *results(tree), "")
    yield from ("### Loaded without a cluster", "", loaded["how"].strip(), "", loaded["in_cluster"].strip(), "")
    yield from results(loaded)


def _ran(
    release: Release, plans: Mapping[str, StackPlan], earlier: Mapping[tuple[str, str], record.Run]
) -> Iterator[tuple[str, str]]:
    for part, given in _judged(release, plans, earlier):
        run = earlier.get((release.name, part))
        if run is None:
            yield row((release.name, part, "", "", "not run yet", "")), "not run yet"
            continue
        result = "**refused**" if run.refused else "accepted, with deprecations" if run.lines else "accepted"
        if given and shape(given) != run.shape:
            result = "changed since"
        result_cell = "; ".join((result, *(line.replace("|", "/") for line in run.lines)))
        yield row((release.name, part, run.judge, run.given, result_cell, run.date)), result


def _has(kind: kinds.Kinds, plans: Mapping[str, StackPlan]) -> bool:
    """Whether a release plans a stack that has objects of a chart."""
    stacks = {"KServe": "kserve-", "LeaderWorkerSet": "mixture-of-experts-wide"}
    return any(name.startswith(stacks[kind.part]) for name in plans)


def _judged(
    release: Release, plans: Mapping[str, StackPlan], earlier: Mapping[tuple[str, str], record.Run]
) -> Iterator[tuple[str, list[Rendered]]]:
    """Parts of a release that a registry serves or that were built from their repository, with command lines if any."""
    with_variants = {**plans, **variants_of(release.name)}
    for part, image in images(release).items():
        given = rendered(with_variants, image)
        if given and (programs.is_pinned(image) or (release.name, part) in earlier):
            yield part, given
            if cases := pickers_in_cluster.cases(with_variants, image):
                yield pickers_in_cluster.PART.format(part=part), [case.rendering for case in cases]
    yield kinds.OTHERS, []
    for kind in kinds.PARTS:
        if kinds.served(kind, release) is not None and _has(kind, plans):
            yield kind.part, []
    for part, engine in engines_of(release).items():
        published = engine is not None and engines.published(engine.version) is not None
        if engine is not None and published and (given := rendered(plans, engine.image)):
            yield part, given


def _missing(release: Release, earlier: Mapping[tuple[str, str], record.Run]) -> Iterator[str]:
    for part, image in images(release).items():
        if not programs.is_pinned(image) and (release.name, part) not in earlier:
            yield f"{release.name}, {part}: the Go module proxy did not serve that of `{image.rpartition('/')[2]}`"
    for kind in kinds.PARTS:
        if kinds.served(kind, release) is None:
            chart = kind.chart(release)
            yield f"{release.name}, {kind.part}: the Go module proxy did not serve {chart.version}"
    for part, engine in engines_of(release).items():
        if engine is not None and engines.published(engine.version) is None:
            yield f"{release.name}, {part}: no parser of vLLM {engine.version} is used here"
    yield f"{release.name}, cert-manager and Istio: a rehearsal installs their CRDs, their programs did not run"


def is_red(text: str) -> bool:
    return DIFFERS in text or "**refused**" in text
