"""Holds rendered objects of KServe and LeaderWorkerSet against the CRDs of their release, as a strict API server does.

Types, required fields, enumerations, patterns and unknown fields are checked. Rules in CEL and the controllers'
webhooks are not: rehearsals run those (tests/rehearsal/e2e).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator

from catalog.release import ChartRelease, Release
from operations.conformance.rendered import configuration, plan
from planning import RefusedError
from rehearsal.charts.sources import find
from rehearsal.toolchain.build import module_dir
from resource_graph.rendering import manifests
from resource_graph.stack_program import record_stack

# Their images are pulled with an account of the user's, without which no object is rendered.
NEED_ACCOUNT: Final = ("rhaiis-3.2", "rhaii-3.4")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Kinds:
    """A chart with CRDs: where its module has them, which kinds they are, and stacks that use them."""

    part: str
    patterns: tuple[str, ...]
    kinds: tuple[str, ...]
    stacks: tuple[str, ...]

    def chart(self, release: Release) -> ChartRelease:
        charts = release.charts
        return charts.kserve_crds if self.part == "KServe" else charts.leader_worker_set


PARTS: Final = (
    Kinds(
        "KServe",
        ("config/crd/full/**/*llminferenceservice*.yaml",),
        ("LLMInferenceService", "LLMInferenceServiceConfig"),
        ("kserve-prefix-cache-gpu", "kserve-istio-single-replica-tpu", "kserve-disaggregated-gpu"),
    ),
    Kinds(
        "LeaderWorkerSet",
        ("config/crd/bases/leaderworkerset*.yaml",),
        ("LeaderWorkerSet",),
        ("mixture-of-experts-wide-gpu",),
    ),
)


def served(part: Kinds, release: Release) -> str | None:
    """The version of the Go module with the release's CRDs; None where none of exactly that version is pinned."""
    chart = part.chart(release)
    source = find(chart.chart, chart.version)
    same = source is not None and source.version.removeprefix("v") == chart.version.removeprefix("v")
    return source.version if source is not None and same else None


def objects(part: Kinds, release: Release) -> list[Mapping[str, Any]]:
    """Objects of these kinds that the stacks render on a release; none of stacks that it refuses."""
    found: list[Mapping[str, Any]] = []
    if release.name in NEED_ACCOUNT:
        return found
    for stack in part.stacks:
        try:
            plan(release.name, stack)
        except RefusedError:
            continue
        graph = record_stack(stack, configuration(release.name, stack))
        documents = (yaml.load(text, Loader=_LOADER) for text in manifests(graph).values())  # noqa: S506 (both are safe)
        found += [one for one in documents if one["kind"] in part.kinds]
    return found


def definitions(part: Kinds, release: Release) -> list[Mapping[str, Any]]:
    """The CRDs of a release's chart, from the Go module that has them."""
    chart = part.chart(release)
    source = find(chart.chart, chart.version)
    assert source is not None, part.part
    root: Path = module_dir(source.module, source.pins)
    files = [file for pattern in part.patterns for file in sorted(root.glob(pattern))]
    read = [yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER) for file in files]  # noqa: S506
    return [one for one in read if one and one["kind"] == "CustomResourceDefinition"]


def refusals(crds: Iterable[Mapping[str, Any]], manifests: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What the schemas refuse, each once, and versions that are deprecated."""
    known: dict[tuple[str, str], Any] = {}
    for crd in crds:
        for version in crd["spec"]["versions"]:
            name = f"{crd['spec']['group']}/{version['name']}"
            known[name, crd["spec"]["names"]["kind"]] = version
    said: dict[str, None] = {}
    for manifest in manifests:
        version = known.get((manifest["apiVersion"], manifest["kind"]))
        if version is None or not version["served"]:
            said[f"{manifest['kind']} is not served in {manifest['apiVersion']}"] = None
            continue
        if version.get("deprecated"):
            said[f"{manifest['kind']} of {manifest['apiVersion']} is deprecated"] = None
        validator = Draft202012Validator(strict(version["schema"]["openAPIV3Schema"]))
        body = {key: value for key, value in manifest.items() if key not in ("metadata", "status")}
        for error in validator.iter_errors(body):
            place = ".".join(str(part) for part in error.absolute_path)
            said[f"{manifest['kind']} {place}: {error.message[:160]}"] = None
    yield from said


def strict(schema: Any) -> Any:
    """An OpenAPI schema of Kubernetes as JSON Schema that knows no other fields than its own."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    # An embedded resource has metadata of its own; the formats and defaults of OpenAPI are no checks.
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key.startswith("x-kubernetes-") or key in ("format", "default", "nullable", "description", "example"):
            continue
        if key == "properties":
            out[key] = {name: strict(inner) for name, inner in value.items()}
        else:
            out[key] = strict(value)
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if "properties" in schema and not open_ended:
        out["additionalProperties"] = False
    if schema.get("nullable") and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out
