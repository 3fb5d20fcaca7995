"""docs/predecessors.md: `python -m llm_d_gke.maintenance.conformance.predecessors`.

Gives one field of a release the value that its predecessor has, plans the stacks with it, and notes which cell of the
conformance turns red. A difference that nothing notices would reach a cluster: it is listed as such.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.catalog.release import Release
from llm_d_gke.catalog.upstream import load_upstream
from llm_d_gke.maintenance.conformance import record
from llm_d_gke.maintenance.conformance.compare import cells_of
from llm_d_gke.maintenance.conformance.rendered import plans_of
from llm_d_gke.nested import value_at
from llm_d_gke.operations.templates import render
from llm_d_gke.planning import StackPlan
from llm_d_gke.stackfile import PROJECT_ROOT

PAGE: Final = PROJECT_ROOT / "docs" / "predecessors.md"
# Stacks that a field reaches, by its beginning; the first that fits counts.
STACKS: Final = (
    ("router", ("multi-model-gpu",)),
    ("disaggregation", ("disaggregated-gpu",)),
    ("engine.tpu", ("tpu",)),
    ("charts", ("kserve-single-replica-gpu",)),
    ("", ("gpu",)),
)
_PARTS: Final = ("picker", "engine", "router", "charts", "disaggregation", "role_of_both")
# Why nothing turns red, of the differences where that is known.
_UNNOTICED: Final = {
    "llm-d-0.9 router.body_bytes_seen": (
        "a limit that users met (issue 2115 of the extension), and that no source states"
    ),
    "llm-d-0.9 disaggregation.sidecar.paths": (
        "the example serves the paths of both; LLMD-PD-PATH warns of a stack that serves others"
    ),
    "llm-d-0.6 picker.requires_objectives": "the picker of llm-d-0.6 starts with and without the CRD that this adds",
}
_UNKNOWN: Final = "nothing is known of the version in the image"
_TEXTS: Final = ("withdrawn", "reason")


@dataclass(frozen=True)
class Change:
    """One field of a release with its predecessor's value."""

    release: str
    field: str
    value: Any
    was: Any


@dataclass(frozen=True)
class Outcome:
    change: Change
    red: str


def predecessors(catalog: Catalog) -> dict[str, str]:
    """The predecessor of each release: the newest before it of the same product, else the one that it `follows`."""
    by_release = {}
    for name in catalog.releases:
        earlier = list(_before(catalog, name))
        product = name.rpartition("-")[0]
        if earlier:
            by_release[name] = next((other for other in earlier if other.rpartition("-")[0] == product), earlier[0])
    return by_release


def _before(catalog: Catalog, name: str) -> Iterator[str]:
    before = catalog.releases[name].follows
    if before is not None:
        yield before
        yield from _before(catalog, before)


def changes(release: Release, predecessor: Release) -> Iterator[Change]:
    """Every field in which two releases differ, one at a time. Lists are one field each."""
    own, other = (release.model_dump(mode="json", include=set(_PARTS)) for release in (release, predecessor))
    yield from (Change(release.name, *leaf) for leaf in _leaves(own, other, ""))


def _leaves(own: Any, other: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(own, Mapping) and isinstance(other, Mapping):
        for key in own:
            if key in other and key not in _TEXTS:
                yield from _leaves(own[key], other[key], f"{path}.{key}" if path else key)
    elif own != other and not isinstance(own, Mapping) and not isinstance(other, Mapping):
        yield path, other, own


def changed(catalog: Catalog, change: Change) -> Catalog:
    """The catalog with one field of one release changed."""
    release = catalog.releases[change.release]
    tree = release.model_dump(mode="json")
    *parents, last = change.field.split(".")
    value_at(tree, *parents)[last] = change.value
    return replace(catalog, releases={**catalog.releases, release.name: Release.model_validate(tree)})


def judge(change: Change, catalog: Catalog, *, run: bool) -> Outcome:
    """What turns red with a change: planning, a comparison, or with `run` a real part."""
    mutated = changed(catalog, change)
    release = mutated.releases[change.release]
    stacks = next(stacks for beginning, stacks in STACKS if change.field.startswith(beginning))
    plans = plans_of(release.name, mutated, stacks)
    newly_refused = [
        stack for stack in stacks if stack not in plans and stack in plans_of(release.name, catalog, (stack,))
    ]
    if newly_refused:
        return Outcome(change, f"planning refuses {', '.join(newly_refused)}")
    known_lines = _known_lines(change.release, stacks)
    for cell in cells_of(release, plans):
        new = [line for line in cell.lines if (cell.part, line) not in known_lines]
        if new:
            return Outcome(change, f"{cell.part}: {new[0]}")
        if cell.compared.count(_UNKNOWN) > known_lines.count((cell.part, _UNKNOWN)):
            return Outcome(change, f"{cell.part}: {_UNKNOWN}")
    return Outcome(change, _refused(release, plans) if run else "")


@functools.lru_cache(maxsize=64)
def _known_lines(name: str, stacks: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Lines that the cells of a release have without any change, by part."""
    release = load_catalog().releases[name]
    cells = [*cells_of(release, plans_of(name, only=stacks))]
    unknown = [(cell.part, _UNKNOWN) for cell in cells if _UNKNOWN in cell.compared]
    return (*((cell.part, line) for cell in cells for line in cell.lines), *unknown)


def _refused(release: Release, plans: Mapping[str, StackPlan]) -> str:
    """The first error of the pinned upstream programs about a release; empty if they accept it."""
    for run in record.program_runs(release, plans, lambda _: None, pinned_only=True):
        if run.refused:
            return f"the real {run.part} {run.judge}: {next(line for line in run.lines if 'deprecated' not in line)}"
    return ""


def plugin_changes(catalog: Catalog) -> Iterator[tuple[str, int, int]]:
    """Of each release: plugins in which its picker's list differs from its predecessor's, and how many turn red.

    A plugin that is listed and not in the picker, or the other way around, is found by the recorded source.
    """
    for name, before in predecessors(catalog).items():
        own, other = (catalog.pickers[catalog.releases[release].picker.build] for release in (name, before))
        differing = sorted(set(own.plugins) ^ set(other.plugins))
        red = 0
        for plugin in differing:
            plugins = {key: value for key, value in own.plugins.items() if key != plugin}
            if plugin not in own.plugins:
                plugins[plugin] = other.plugins[plugin]
            listed = own.model_copy(update={"plugins": plugins})
            red += _source_contradicts(catalog.releases[name], listed.plugins.keys())
        yield name, len(differing), red


def _source_contradicts(release: Release, listed: Set[str]) -> bool:
    """Whether the recorded source of a release's picker shows that the list is wrong."""
    program = load_upstream().programs.get(release.picker.image)
    return program is not None and set(listed) != set(program.plugins)


def outcomes(*, run: bool) -> list[Outcome]:
    catalog = load_catalog()
    results = []
    for name, before in predecessors(catalog).items():
        for change in changes(catalog.releases[name], catalog.releases[before]):
            results.append(judge(change, catalog, run=run))
    return results


def page(results: list[Outcome], plugins: list[tuple[str, int, int]]) -> str:
    text = render(
        Path(__file__).with_name("predecessors.md.jinja"),
        results=results,
        red=[outcome for outcome in results if outcome.red],
        unnoticed=[outcome.change for outcome in results if not outcome.red],
        reasons=_UNNOTICED,
        plugins=plugins,
        cell=_cell,
    )
    return f"{text}\n"


def _cell(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"`{text}`" if text and value is not None else "none"


def main() -> int:
    results = outcomes(run=True)
    PAGE.write_text(page(results, list(plugin_changes(load_catalog()))), encoding="utf-8")
    red = sum(bool(outcome.red) for outcome in results)
    print(f"{red} of {len(results)} differences turn something red: {PAGE.relative_to(PROJECT_ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
