"""What a killed destroy left is deleted by the next one."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.google_types import CLUSTER, NETWORK, ROUTER
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp import GcpProvider, lifecycle
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore
from llm_d_gke.rehearsal.providers.requests import DeleteRequest


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


def test_a_cluster_whose_deletion_was_killed_is_stopped_by_the_next_one(
    paths: StackPaths, stopped: list[StackPaths]
) -> None:
    with CloudStore(paths.cloud).transaction() as cloud:
        del cloud["resources"][CLUSTER]
    request = DeleteRequest(urn="urn:cluster", type=CLUSTER, name="cluster", id="cluster", olds={})
    GcpProvider(paths, lambda _: None).delete(request)
    assert stopped == [paths]
