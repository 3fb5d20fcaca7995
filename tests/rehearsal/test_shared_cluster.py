"""Stacks of one folder that share a rehearsed cluster: common files, who may go, and when the cluster goes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from llm_d_gke.google_types import CLUSTER
from llm_d_gke.rehearsal.errors import NotUpError, RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths, record_difference, recorded_differences
from llm_d_gke.rehearsal.providers.gcp.existing import EXISTING
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore
from llm_d_gke.rehearsal.shared_cluster import join, leave, refuse_guests
from llm_d_gke.rehearsal.terminal.status import reachable
from tests.stacks import plan_of

OWN = plan_of("gpu")
NAMED = replace(OWN, cluster=replace(OWN.cluster, create=False))


def stack(root: Path, name: str, urn: str = "") -> StackPaths:
    """A stack that is up; with the named cluster in its Google Cloud, where a URN is given."""
    paths = StackPaths(name, root)
    paths.home.mkdir(parents=True, exist_ok=True)
    paths.settings.write_text("{}", encoding="utf-8")
    if urn:
        with CloudStore(paths.cloud).transaction() as cloud:
            cloud["resources"] = {CLUSTER: {NAMED.cluster.identifier: {MARKS: {"urn": urn}}}}
    return paths


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.store.cache_root", lambda: tmp_path / "register")
    return tmp_path


def test_a_stack_joins_the_cluster_that_it_names_and_keeps_its_own_state(root: Path) -> None:
    first, second = stack(root, "first", "urn:cluster"), StackPaths("second", root)
    join(second, OWN)
    assert second.host == second
    join(second, NAMED)
    assert second.host == first
    assert (second.cloud, second.kubeconfig, second.pods) == (first.cloud, first.kubeconfig, first.pods)
    assert second.settings.parent == second.project.parent == second.home
    record_difference(first, "of the cluster")
    record_difference(second, "of the stack")
    record_difference(second, "picker: that of the release before")
    record_difference(second, "picker: that of this release")
    assert recorded_differences(second) == ["of the cluster", "of the stack", "picker: that of this release"]


def test_without_that_cluster_a_stack_has_one_of_its_own(root: Path) -> None:
    stack(root, "first", "urn:cluster")
    second = StackPaths("second", root)
    other = replace(NAMED.cluster, identifier="projects/p/locations/l/clusters/other")
    join(second, replace(NAMED, cluster=other))
    assert second.host == second


def test_a_cluster_of_its_own_is_not_taken_from_others(root: Path) -> None:
    first, second = stack(root, "first", "urn:cluster"), StackPaths("second", root)
    join(second, NAMED)
    with pytest.raises(RehearsalError, match="make down STACK=second"):
        refuse_guests(first)
    refuse_guests(second)
    assert leave(second) is False
    assert not second.home.exists()
    refuse_guests(first)
    assert leave(first) is True
    assert not first.base.exists()


def test_a_brought_cluster_stays_for_the_other_stack(root: Path) -> None:
    first, second = stack(root, "first", f"{EXISTING}cluster"), StackPaths("second", root)
    join(second, NAMED)
    refuse_guests(first)
    assert leave(first) is False
    assert first.cloud.exists()
    assert not first.settings.exists()
    assert leave(second) is True
    assert not first.base.exists()


def test_the_namespace_of_another_stack_is_refused_before_anything_is_written(root: Path) -> None:
    first, second = stack(root, "first", f"{EXISTING}cluster"), StackPaths("second", root)
    first.gateway.write_text(f"{NAMED.namespace.name}/inference-gateway", encoding="utf-8")
    with pytest.raises(RehearsalError, match=f"{NAMED.namespace.name}.* namespace.name"):
        join(second, NAMED)
    assert not second.home.exists()
    join(first, NAMED)
    elsewhere = replace(NAMED, namespace=replace(NAMED.namespace, name="elsewhere"))
    join(second, elsewhere)
    assert second.host == first
    with pytest.raises(RehearsalError, match="stacks first and second"):
        join(second, NAMED)


def test_a_stack_that_left_its_cluster_to_another_is_not_up(root: Path) -> None:
    first, second = stack(root, "first", f"{EXISTING}cluster"), StackPaths("second", root)
    first.kubeconfig.parent.mkdir()
    first.kubeconfig.touch()
    join(second, NAMED)
    second.settings.write_text("{}", encoding="utf-8")
    assert (first.is_up, second.is_up) == (True, True)
    leave(first)
    assert (first.is_up, second.is_up) == (False, True)
    with pytest.raises(NotUpError, match="make up STACK=first"):
        reachable(first)
