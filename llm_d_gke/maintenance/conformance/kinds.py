"""Objects that stacks render, judged by a real API server with the CRDs of their release, and by its webhooks' code."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from llm_d_gke.catalog.reading import LOADER
from llm_d_gke.catalog.release import ChartRelease, Release
from llm_d_gke.maintenance.conformance.rendered import ACCOUNT, configuration, plan
from llm_d_gke.planning import RefusedError
from llm_d_gke.rehearsal.charts.sources import find
from llm_d_gke.rehearsal.toolchain.build import Report, binaries, module_dir
from llm_d_gke.rehearsal.toolchain.targets import of_version
from llm_d_gke.resource_graph.rendering import manifests
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import NAMESPACE, StackConfig

# Stacks that together have every kind of object.
STACKS: Final = (
    "gpu",
    "multi-model-gpu",
    "disaggregated-gpu",
    "mixture-of-experts-wide-gpu",
    "kserve-prefix-cache-gpu",
    "kserve-disaggregated-gpu",
    "kserve-istio-single-replica-tpu",
    "kserve-mixture-of-experts-wide-gpu",
)


@dataclass(frozen=True)
class Kinds:
    """A chart with CRDs: where its module has them, which kinds they are, and the program with its webhook's code."""

    part: str
    patterns: tuple[str, ...]
    kinds: tuple[str, ...]
    webhook: str

    def chart(self, release: Release) -> ChartRelease:
        charts = release.charts
        return charts.kserve_crds if self.part == "KServe" else charts.leader_worker_set


PARTS: Final = (
    Kinds(
        "KServe",
        ("config/crd/full/**/*llminferenceservice*.yaml",),
        ("LLMInferenceService", "LLMInferenceServiceConfig"),
        "kserve-webhook",
    ),
    Kinds("LeaderWorkerSet", ("config/crd/bases/leaderworkerset*.yaml",), ("LeaderWorkerSet",), "lws-webhook"),
)
OTHERS: Final = "Kubernetes, Gateway API and GKE"
# Charts bring the kinds of cert-manager and Istio, which no Go module of the release's version has in full.
_NOT_SERVED: Final = ("cert-manager.io/", "istio.io/", "sailoperator.io/")


def served(part: Kinds, release: Release) -> str | None:
    """The version of the Go module with the release's CRDs; None where none of exactly that version is pinned."""
    chart = part.chart(release)
    source = find(chart.chart, chart.version)
    same = source is not None and source.version.removeprefix("v") == chart.version.removeprefix("v")
    return source.version if source is not None and same else None


@functools.cache
def rendered_objects(release: str) -> tuple[Mapping[str, Any], ...]:
    """Every object that these stacks render on a release; none of stacks that it refuses."""
    documents: list[Mapping[str, Any]] = []
    for stack in STACKS:
        try:
            plan(release, stack)
        except RefusedError:
            continue
        graph = record_stack(stack, _with_account(configuration(release, stack)))
        documents += (yaml.load(text, Loader=LOADER) for text in manifests(graph).values())  # noqa: S506 (both are safe)
    return tuple(documents)


def _with_account(config: StackConfig) -> StackConfig:
    """The configuration with an account of Red Hat's registry, without which its releases render nothing."""
    account = {key: value for key, value in ACCOUNT.items() if key != "password"}
    values = {**config.values, f"{NAMESPACE}:registry": account}
    return replace(config, values=values, secrets={**config.secrets, f"{NAMESPACE}:registry.password": "a stand-in"})


def objects(part: Kinds, release: Release) -> list[Mapping[str, Any]]:
    return [manifest for manifest in rendered_objects(release.name) if manifest["kind"] in part.kinds]


def other_objects(release: Release) -> list[Mapping[str, Any]]:
    """Objects of kinds that a cluster on GKE has without any chart."""
    return [manifest for manifest in rendered_objects(release.name) if is_on_gke(manifest)]


def is_on_gke(manifest: Mapping[str, Any]) -> bool:
    """Whether a cluster on GKE has the object's kind without any chart."""
    charted = {kind for part in PARTS for kind in part.kinds}
    return manifest["kind"] not in charted and not any(group in manifest["apiVersion"] for group in _NOT_SERVED)


def definitions(part: Kinds, release: Release) -> list[Mapping[str, Any]]:
    """The CRDs of a release's chart, from the Go module that has them."""
    chart = part.chart(release)
    source = find(chart.chart, chart.version)
    assert source is not None, part.part
    root: Path = module_dir(source.module, source.pins)
    files = [file for pattern in part.patterns for file in sorted(root.glob(pattern))]
    read = [yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER) for file in files]  # noqa: S506
    return [definition for definition in read if definition and definition["kind"] == "CustomResourceDefinition"]


def webhook_refusals(
    part: Kinds, release: Release, manifests: Iterable[Mapping[str, Any]], report: Report
) -> Iterator[str]:
    """What the validating webhook's own code says, each message once. It comes from the module of the CRDs.

    The server fills in defaults before it asks a webhook.
    """
    target = of_version(part.webhook, served(part, release) or "")
    assert target is not None, part.part
    executable = binaries([target.name], report)[target.name]
    lines = [json.dumps(manifest) for manifest in manifests]
    answer = subprocess.run([executable], input="\n".join(lines), capture_output=True, text=True, check=True)
    yield from dict.fromkeys(line for line in answer.stdout.splitlines() if line)
