"""Deletions that a preview plans and that lose data: kinds with their objects, volume claims, disks and buckets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.planning.acknowledgements import mark_acknowledged
from llm_d_gke.planning.findings import Finding, Findings, RefusedError, Severity, path_of
from llm_d_gke.settings import StackSettings

_RULE = "LLMD-PREFLIGHT-DELETES"
# Operations of Pulumi's engine that remove what exists.
_REMOVES = frozenset(("delete", "replace", "delete-replaced"))
_KIND = "CustomResourceDefinition"
_CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
_RELEASE = "kubernetes:helm.sh/v3:Release"
_CLUSTER = "gcp:container/cluster:Cluster"
# The namespace of model servers, in which claims of weights are.
_NAMESPACE = "llm-d:workspace:Workspace$kubernetes:core/v1:Namespace"
# Resources of Google Cloud that hold data of their own.
_DATA = {
    "gcp:compute/disk:Disk": "disk",
    "gcp:compute/regionDisk:RegionDisk": "disk",
    "gcp:storage/bucket:Bucket": "bucket",
    "gcp:filestore/instance:Instance": "file share",
}


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """One step of a preview. `retained`: Pulumi forgets the resource and leaves it where it is."""

    operation: str
    urn: str
    retained: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type token: the last of the types that the URN lists from the outermost parent on."""
        return self.types.rpartition("$")[2]

    @property
    def types(self) -> str:
        return self.urn.split("::")[2] if self.urn.count("::") > 1 else ""

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]


def steps_of_preview(document: Mapping[str, Any]) -> list[PlannedStep]:
    """The steps of `pulumi preview --json`."""
    steps = []
    for step in document.get("steps") or ():
        old = step.get("oldState") or {}
        steps.append(
            PlannedStep(
                operation=str(step.get("op", "")),
                urn=str(step.get("urn", "")),
                retained=bool(old.get("retainOnDelete")),
                inputs=old.get("inputs") or {},
            )
        )
    return steps


def find_losses(steps: Iterable[PlannedStep], catalog: Catalog) -> list[Finding]:
    """An error for each planned deletion that loses data, once for each resource. Each can be acknowledged."""
    findings: dict[str, Finding] = {}
    charts = set(_charts_that_delete_kinds(catalog))
    for step in steps:
        if step.operation not in _REMOVES or step.retained or step.urn in findings:
            continue
        loss = _loss(step, charts)
        if loss is not None:
            findings[step.urn] = Finding(
                id=_RULE,
                path=f"{step.type} {step.name}",
                value="replaced" if step.operation == "replace" else "deleted",
                rule=f"this update would delete {loss}",
                fix=_fix(step),
            )
    return list(findings.values())


def _loss(step: PlannedStep, charts: set[str]) -> str | None:
    """What is lost with the resource, None where it holds nothing."""
    if step.type.endswith(f":{_KIND}"):
        name = (step.inputs.get("metadata") or {}).get("name") or step.name
        return f"the kind {name}, and with it every object of that kind in the cluster"
    if step.type == _RELEASE and step.inputs.get("chart") in charts:
        return f"the kinds of the chart {step.inputs['chart']}, and with them every object of these kinds"
    if step.type == _CLAIM:
        return "a volume claim, and with it the volume, unless its reclaim policy is Retain"
    if step.types.endswith(_NAMESPACE):
        return "the namespace of the model servers, and with it every volume claim in it"
    if step.type == _CLUSTER:
        return "the cluster, and with it every kind, object and volume claim in it"
    if step.type in _DATA:
        return f"a {_DATA[step.type]} with its data"
    return None


def _fix(step: PlannedStep) -> str:
    if step.type == _CLUSTER and step.operation != "delete":
        # Its objects are deleted last, by a provider that no longer reaches it, and every later update fails as well.
        return (
            "once the data are copied, destroy the stack with the settings before, and run up with these: an update"
            " would end with `configured Kubernetes cluster is unreachable`, because Pulumi deletes the objects of the"
            " old cluster after the cluster; otherwise undo the change that causes it"
        )
    return (
        f"{_before(step)} add {{id: {_RULE}, reason: ...}} to llm-d:acknowledge for this one update; otherwise undo the"
        " change that causes it"
    )


def _before(step: PlannedStep) -> str:
    """What has to hold before the loss is acknowledged. Objects of the stack itself go with the update anyway."""
    if step.type == _RELEASE or step.type.endswith(f":{_KIND}"):
        return "if only this stack has objects of these kinds in the cluster,"
    return "once the data are copied,"


def _charts_that_delete_kinds(catalog: Catalog) -> Iterator[str]:
    for release in catalog.releases.values():
        for chart in (release.charts.leader_worker_set, release.charts.kserve_crds, release.charts.keda):
            if chart.deletes_kinds:
                yield chart.chart


def refuse_losses(steps: Iterable[PlannedStep], catalog: Catalog, settings: StackSettings) -> list[Finding]:
    """The acknowledged losses, or a warning about an acknowledgement that this update does not need.

    Raises RefusedError if there is a loss that the settings do not acknowledge.
    """
    findings = Findings(find_losses(steps, catalog))
    if not findings:
        return _unneeded(settings)
    mark_acknowledged(settings, findings)
    if any(finding.acknowledged is None for finding in findings):
        raise RefusedError(findings)
    later = f"remove {_RULE} from llm-d:acknowledge after this update: it would let the next deletion pass"
    return [replace(finding, fix=later) for finding in findings]


def _unneeded(settings: StackSettings) -> list[Finding]:
    """A warning where the acknowledgement of an earlier update is still there. Only a preview can tell."""
    return [
        Finding(
            id="LLMD-ACKNOWLEDGE-UNUSED",
            path=path_of("acknowledge", index, "id"),
            value=_RULE,
            rule="this update deletes no data: the acknowledgement would let the next deletion pass",
            fix="remove it",
            severity=Severity.WARNING,
        )
        for index, acknowledgement in enumerate(settings.acknowledge)
        if acknowledgement.id == _RULE
    ][:1]
