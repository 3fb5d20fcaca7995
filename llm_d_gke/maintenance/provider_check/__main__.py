"""Check the Google Cloud resources of stacks with the real gcp provider, without credentials.

    pulumi plugin install resource gcp
    python -m llm_d_gke.maintenance.provider_check ~/.pulumi/plugins/resource-gcp-v*/pulumi-resource-gcp [STACK ...]

`-c PATH=VALUE` changes every stack, and `--every-release` checks each with every release and both deployments, where
planning accepts that. `--random N` checks N random stacks as well, the same ones for the same `--seed`. Each
stack is checked twice: as a first preview has it, with outputs unknown, and with outputs known. Without stacks, the
program in bootstrap/ is checked, too. Exit status 1: the provider refuses something.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, product
from pathlib import Path
from typing import Any

from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from llm_d_gke import catalog
from llm_d_gke.cli.markdown import table
from llm_d_gke.cli.options import overrides
from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.maintenance.fuzz.run import planned
from llm_d_gke.maintenance.fuzz.stacks import likely
from llm_d_gke.maintenance.provider_check.check import PluginError, google_resources, plugin, problems
from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.resource_graph import Graph, record
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import PROJECT_ROOT, project_stacks
from llm_d_gke.stackfile.assumptions import load_assumed

# The settings that the program in bootstrap/ requires.
_BOOTSTRAP = {
    "project": "my-project-123456",
    "projectNumber": "815",
    "location": "europe-west4",
    "repository": "my-org/llm-d",
    "repositoryId": "4711",
    "ownerId": "42",
    "environments": '["staging", "production"]',
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plugin", type=Path, help="the binary pulumi-resource-gcp")
    parser.add_argument("stacks", nargs="*", help="by default all of the project")
    parser.add_argument("-c", dest="changes", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--every-release", action="store_true", help="with every release and both deployments")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="random stacks to check as well")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_intermixed_args()
    changes = overrides(options.changes)
    names = options.stacks or project_stacks()
    named = _on_every_release(names, changes) if options.every_release else _named(names, changes)
    if not options.stacks:
        named = chain(named, _bootstrap())
    try:
        with plugin(options.plugin) as provider:
            refused = _check_all(chain(named, _random(options.random, options.seed)), provider)
    except PluginError as error:
        print(error, file=sys.stderr)
        refused = 1
    raise SystemExit(bool(refused))


def _named(stacks: list[str], changes: Mapping[str, str], label: str = "") -> Iterator[tuple[str, Graph]]:
    for stack in stacks:
        config = load_assumed(stack, changes)
        for preview in (True, False):
            yield f"{stack}{label}", record_stack(stack, config, preview=preview)


def _on_every_release(stacks: list[str], changes: Mapping[str, str]) -> Iterator[tuple[str, Graph]]:
    for stack, release, deployment in product(stacks, catalog.load().releases, ("direct", "kserve")):
        changed = {**changes, "llm-d:release": release, "llm-d:deployment": deployment}
        try:
            plan_config(stack, load_assumed(stack, changed))
        except RefusedError:
            continue
        yield from _named([stack], changed, f" ({release}, {deployment})")


def _bootstrap() -> Iterator[tuple[str, Graph]]:
    program = PROJECT_ROOT / "bootstrap" / "__main__.py"
    config = {f"llm-d-bootstrap:{key}": value for key, value in _BOOTSTRAP.items()}
    for preview in (True, False):
        yield "bootstrap", record(program, project="llm-d-bootstrap", stack="bootstrap", config=config, preview=preview)


def _random(count: int, seed: int) -> Iterator[tuple[str, Graph]]:
    for number, settings in enumerate(planned(likely(), count, seed) if count else ()):
        for preview in (True, False):
            yield f"random-{number}", record(lambda: _program(settings), stack="random", preview=preview)  # noqa: B023 - called at once


def _program(settings: Mapping[str, Any]) -> None:
    InferenceStack("random", settings)


def _check_all(graphs: Iterable[tuple[str, Graph]], provider: ResourceProviderStub) -> int:
    checked: Counter[str] = Counter()
    stacks: set[str] = set()
    refused = 0
    for stack, graph in graphs:
        stacks.add(stack)
        checked.update(resource.type for resource in google_resources(graph))
        for problem in problems(graph, provider):
            print(f"{stack}: {problem}", flush=True)
            refused += 1
    print(*table(("type", "resources checked"), sorted(checked.items())), sep="\n")
    print(f"\n{len(stacks)} stacks, {checked.total()} resources, {refused} refused")
    return refused


if __name__ == "__main__":
    main()
