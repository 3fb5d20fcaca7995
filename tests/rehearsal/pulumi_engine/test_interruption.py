"""What a killed engine left is deleted before the next destroy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from pulumi import automation as auto

from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp import GcpProvider, lifecycle
from llm_d_gke.rehearsal.providers.gcp.kinds import CLUSTER, NETWORK, ROUTER
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore
from llm_d_gke.rehearsal.providers.requests import DeleteRequest
from llm_d_gke.rehearsal.pulumi_engine.interruption import delete_unrecorded_resources


@dataclass
class Stack:
    """A stack whose state is given."""

    deployment: dict[str, Any]

    def export_stack(self) -> auto.Deployment:
        return auto.Deployment(version=3, deployment=self.deployment)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.store.cache_root", lambda: tmp_path / "register")
    paths = StackPaths("gpu", tmp_path)
    with CloudStore(paths.cloud).transaction() as cloud:
        cloud["resources"] = {
            NETWORK: {"network": {MARKS: {"urn": "urn:network"}}},
            ROUTER: {"router": {MARKS: {"urn": "urn:router"}}},
            CLUSTER: {"cluster": {MARKS: {"urn": "urn:cluster"}}},
        }
    return paths


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[StackPaths]:
    """The clusters whose processes were stopped."""
    stopped: list[StackPaths] = []
    monkeypatch.setattr(lifecycle, "stop", stopped.append)
    return stopped


def interrupted(paths: StackPaths, **deployment: Any) -> auto.Stack:
    file = paths.backend / ".pulumi" / "stacks" / "llm-d" / "gpu.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"checkpoint": {"latest": deployment}}), encoding="utf-8")
    return cast("auto.Stack", Stack(deployment))


def test_only_what_was_being_created_and_is_not_recorded_is_deleted(
    paths: StackPaths, stopped: list[StackPaths]
) -> None:
    operations = [
        {"type": "creating", "resource": {"urn": "urn:router"}},
        {"type": "creating", "resource": {"urn": "urn:cluster"}},
        {"type": "deleting", "resource": {"urn": "urn:network"}},
    ]
    stack = interrupted(paths, resources=[{"urn": "urn:network"}], pending_operations=operations)
    delete_unrecorded_resources(stack, paths, lambda _: None)
    assert CloudStore(paths.cloud).read()["resources"] == {NETWORK: {"network": {MARKS: {"urn": "urn:network"}}}}
    assert stopped == [paths]


def test_what_is_recorded_stays(paths: StackPaths, stopped: list[StackPaths]) -> None:
    operations = [{"type": "creating", "resource": {"urn": "urn:cluster"}}]
    stack = interrupted(paths, resources=[{"urn": "urn:cluster"}], pending_operations=operations)
    delete_unrecorded_resources(stack, paths, lambda _: None)
    assert set(CloudStore(paths.cloud).read()["resources"]) == {NETWORK, ROUTER, CLUSTER}
    assert stopped == []


def test_a_cluster_whose_deletion_was_killed_is_stopped_by_the_next_one(
    paths: StackPaths, stopped: list[StackPaths]
) -> None:
    with CloudStore(paths.cloud).transaction() as cloud:
        del cloud["resources"][CLUSTER]
    request = DeleteRequest(
        urn="urn:cluster", type=CLUSTER, name="cluster", id="cluster", olds={}, old_inputs={}, timeout=0
    )
    GcpProvider(paths, lambda _: None).delete(request)
    assert stopped == [paths]
