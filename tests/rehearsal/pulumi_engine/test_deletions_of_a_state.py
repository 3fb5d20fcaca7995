"""The real engine's events name every planned deletion with its old state, by which losses are found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation as auto

from llm_d_gke.planning import RefusedError
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.changes import PlannedSteps
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import Engine, engine
from llm_d_gke.stackfile import PROJECT_ROOT

_STACK = "urn:pulumi:gpu::llm-d::pulumi:pulumi:Stack::llm-d-gpu"
_PROVIDER = "urn:pulumi:gpu::llm-d::pulumi:providers:kubernetes::cluster"
_RELEASE = "kubernetes:helm.sh/v3:Release"
_KIND = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
_CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
_KINDS_CHART = {"chart": "oci://ghcr.io/kserve/charts/kserve-llmisvc-crd"}

pytestmark = pytest.mark.rehearsal


def resource(token: str, name: str, inputs: dict[str, Any], **options: Any) -> dict[str, Any]:
    """One resource of a state, as the engine stores it."""
    return {
        "urn": f"urn:pulumi:gpu::llm-d::{token}::{name}",
        "custom": True,
        "id": name,
        "type": token,
        "inputs": inputs,
        "outputs": inputs,
        "parent": _STACK,
        "provider": f"{_PROVIDER}::an-id",
        **options,
    }


@pytest.fixture
def pulumi(tmp_path: Path) -> Iterator[Engine]:
    with engine(StackPaths("gpu", tmp_path), load(PROJECT_ROOT, "gpu"), lambda _: None) as started:
        yield started


def losses(pulumi: Engine, *resources: dict[str, Any]) -> str:
    """The refusal of a preview that removes these resources, empty where it is allowed."""
    provider = {
        "urn": _PROVIDER,
        "custom": True,
        "id": "an-id",
        "type": "pulumi:providers:kubernetes",
        "parent": _STACK,
    }
    stack = {"urn": _STACK, "custom": False, "type": "pulumi:pulumi:Stack"}
    deployment = {"resources": [stack, {**provider, "inputs": {}, "outputs": {}}, *resources]}
    pulumi.stack.import_stack(auto.Deployment(version=3, deployment=deployment))
    steps = PlannedSteps()
    pulumi.stack.preview(program=lambda: None, on_event=steps.take)
    try:
        steps.refuse_losses(load(PROJECT_ROOT, "gpu"))
    except RefusedError as refused:
        # Its lines break at 80 columns.
        return " ".join(str(refused).split())
    return ""


def test_the_engine_names_what_it_would_delete(pulumi: Engine) -> None:
    retained = resource(_KIND, "kept", {"metadata": {"name": "pools.example.com"}}, retainOnDelete=True)
    controller = resource(_RELEASE, "lws", {"chart": "oci://registry.k8s.io/lws/charts/lws"})
    assert losses(pulumi, retained, controller) == ""
    refused = losses(
        pulumi,
        retained,
        controller,
        resource(_RELEASE, "kserve-llmisvc-crd", _KINDS_CHART),
        resource(_KIND, "deleted", {"metadata": {"name": "widgets.example.com"}}),
        resource(_CLAIM, "weights", {"metadata": {"name": "weights"}}),
    )
    assert refused.count("LLMD-PREFLIGHT-DELETES kubernetes:") == 3
    assert "the kinds of the chart oci://ghcr.io/kserve/charts/kserve-llmisvc-crd" in refused
    assert "the kind widgets.example.com" in refused
    assert "a volume claim" in refused
    assert "pools.example.com" not in refused


def test_outputs_read_from_the_state_are_those_that_the_engine_prints(pulumi: Engine) -> None:
    written = {"endpoint": "http://127.64.0.1", "models": ["a", "b"], "capacity": {"a": {"kvCacheTokens": 384896}}}
    assert pulumi.stack.outputs() == {}
    stack = {"urn": _STACK, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": written}
    pulumi.stack.import_stack(auto.Deployment(version=3, deployment={"resources": [stack]}))
    read, printed = pulumi.stack.outputs(), auto.Stack.outputs(pulumi.stack)
    assert {name: (output.value, output.secret) for name, output in read.items()} == {
        name: (output.value, output.secret) for name, output in printed.items()
    }
    assert {name: output.value for name, output in read.items()} == written
