"""A preview that deletes a kind, a claim or a disk is refused unless acknowledged."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.planning.acknowledgements import mark_acknowledged
from llm_d_gke.planning.deletions import PlannedStep, find_losses, refuse_losses, steps_of_preview
from llm_d_gke.planning.findings import Findings, Severity
from llm_d_gke.settings import StackSettings
from tests.stacks import plan_of, values_of

_PREFIX = "urn:pulumi:gpu::llm-d::llm-d:stack:InferenceStack$"
KSERVE = "oci://ghcr.io/kserve/charts/kserve-llmisvc-crd"


def urn(types: str, name: str) -> str:
    return f"{_PREFIX}{types}::{name}"


LOSING: dict[str, tuple[str, dict[str, Any]]] = {
    "the kind": (
        urn("x:Y$kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "mine"),
        {"metadata": {"name": "widgets.example.com"}},
    ),
    "the kinds of the chart": (
        urn("llm-d:platform:PlatformCharts$kubernetes:helm.sh/v3:Release", "kserve-llmisvc-crd"),
        {"chart": KSERVE},
    ),
    "a volume claim": (urn("kubernetes:core/v1:PersistentVolumeClaim", "weights"), {}),
    "a disk": (urn("gcp:compute/disk:Disk", "weights"), {}),
    "a bucket": (urn("gcp:storage/bucket:Bucket", "weights"), {}),
    "a file share": (urn("gcp:filestore/instance:Instance", "weights"), {}),
    "the namespace": (urn("llm-d:workspace:Workspace$kubernetes:core/v1:Namespace", "inference"), {}),
    "the cluster": (urn("llm-d:cluster:InferenceCluster$gcp:container/cluster:Cluster", "cluster"), {}),
}
HARMLESS = {
    "a pool": (urn("llm-d:cluster:NodePools$gcp:container/nodePool:NodePool", "accelerator-0"), {}),
    "a Deployment": (urn("llm-d:inference:ModelServer$kubernetes:apps/v1:Deployment", "x"), {}),
    "a controller": (urn("kubernetes:helm.sh/v3:Release", "lws"), {"chart": "oci://registry.k8s.io/lws/charts/lws"}),
    "a namespace of a chart": (urn("llm-d:platform:PlatformCharts$kubernetes:core/v1:Namespace", "keda"), {}),
}


@pytest.mark.parametrize("what", LOSING)
@pytest.mark.parametrize("operation", ["delete", "replace", "delete-replaced"])
def test_a_deletion_with_data_is_an_error(what: str, operation: str) -> None:
    address, inputs = LOSING[what]
    [finding] = find_losses([PlannedStep(operation=operation, urn=address, inputs=inputs)], catalog.load())
    assert finding.id == "LLMD-PREFLIGHT-DELETES"
    assert finding.severity is Severity.ERROR
    assert f"would delete {what}" in finding.rule
    acknowledge = "add {id: LLMD-PREFLIGHT-DELETES, reason: ...} to llm-d:acknowledge for this one update"
    replaced = what == "the cluster" and operation != "delete"
    assert (acknowledge in finding.fix) is not replaced
    assert ("destroy the stack with the settings before" in finding.fix) is replaced
    assert ("only this stack has objects" in finding.fix) is ("kind" in what)
    assert ("data are copied" in finding.fix) is ("kind" not in what)


@pytest.mark.parametrize("what", LOSING)
@pytest.mark.parametrize("operation", ["same", "update", "create", "read", "refresh"])
def test_other_operations_delete_nothing(what: str, operation: str) -> None:
    address, inputs = LOSING[what]
    assert find_losses([PlannedStep(operation=operation, urn=address, inputs=inputs)], catalog.load()) == []


@pytest.mark.parametrize("what", LOSING)
def test_a_retained_resource_stays(what: str) -> None:
    address, inputs = LOSING[what]
    step = PlannedStep(operation="delete", urn=address, inputs=inputs, retained=True)
    assert find_losses([step], catalog.load()) == []


@pytest.mark.parametrize("what", HARMLESS)
def test_a_deletion_without_data_is_allowed(what: str) -> None:
    address, inputs = HARMLESS[what]
    assert find_losses([PlannedStep(operation="delete", urn=address, inputs=inputs)], catalog.load()) == []


def test_a_replacement_is_one_finding() -> None:
    address, inputs = LOSING["a disk"]
    steps = [PlannedStep(operation=name, urn=address, inputs=inputs) for name in ("replace", "delete-replaced")]
    assert len(find_losses(steps, catalog.load())) == 1


def test_the_steps_are_read_from_pulumi() -> None:
    address, inputs = LOSING["a disk"]
    old = {"urn": address, "type": "gcp:compute/disk:Disk", "inputs": inputs}
    document = {
        "steps": [
            {"op": "delete", "urn": address, "oldState": old},
            {"op": "create", "urn": address, "newState": old},
            {"op": "delete", "urn": LOSING["the kind"][0], "oldState": {**old, "retainOnDelete": True}},
        ]
    }
    assert [(step.operation, step.retained) for step in steps_of_preview(document)] == [
        ("delete", False),
        ("create", False),
        ("delete", True),
    ]
    assert steps_of_preview({}) == []


def acknowledging() -> StackSettings:
    values = values_of("gpu")
    values["acknowledge"] = [*values["acknowledge"], {"id": "LLMD-PREFLIGHT-DELETES", "reason": "moved to a bucket"}]
    return StackSettings.model_validate(values)


def test_an_acknowledged_deletion_is_a_warning_with_its_reason() -> None:
    address, inputs = LOSING["a volume claim"]
    findings = Findings(find_losses([PlannedStep(operation="delete", urn=address, inputs=inputs)], catalog.load()))
    mark_acknowledged(acknowledging(), findings)
    assert [(finding.severity, finding.acknowledged) for finding in findings] == [
        (Severity.WARNING, "moved to a bucket")
    ]


def test_planning_does_not_call_it_unused() -> None:
    """Only a preview of a running stack knows whether something is deleted."""
    acknowledge = [*values_of("gpu")["acknowledge"], {"id": "LLMD-PREFLIGHT-DELETES", "reason": "moved"}]
    assert "LLMD-ACKNOWLEDGE-UNUSED" not in {w.id for w in plan_of("gpu", {"acknowledge": acknowledge}).warnings}


def test_an_acknowledgement_is_for_one_update() -> None:
    """Left in the stack file it would let the next deletion pass: the update that needs it says so, and every other."""
    address, inputs = LOSING["a volume claim"]
    [needed] = refuse_losses(
        [PlannedStep(operation="delete", urn=address, inputs=inputs)], catalog.load(), acknowledging()
    )
    assert needed.acknowledged == "moved to a bucket"
    assert needed.fix.startswith("remove LLMD-PREFLIGHT-DELETES from llm-d:acknowledge after this update")
    [left] = refuse_losses([PlannedStep(operation="update", urn=address)], catalog.load(), acknowledging())
    assert (left.id, left.path, left.severity) == (
        "LLMD-ACKNOWLEDGE-UNUSED",
        "llm-d:acknowledge[1].id",
        Severity.WARNING,
    )
    assert refuse_losses([], catalog.load(), StackSettings.model_validate(values_of("gpu"))) == []
