"""Moments of interruptions cover an operation, and remains of a stack are found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_d_gke.google_types import NETWORK
from llm_d_gke.maintenance.interruptions.moments import moments
from llm_d_gke.maintenance.interruptions.remains import remains
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore


def test_moments_are_the_same_for_the_same_seed_and_cover_the_whole_duration() -> None:
    chosen = list(moments(30, seed=1))
    assert chosen == list(moments(30, seed=1))
    assert chosen != list(moments(30, seed=2))
    for operation in ("up", "destroy"):
        own = [moment for moment in chosen if moment.operation == operation]
        assert [int(15 * share) for share in sorted(moment.share for moment in own)] == list(range(15))
        assert {moment.victim for moment in own} == {"engine", "command"}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackPaths:
    monkeypatch.setattr("llm_d_gke.rehearsal.providers.gcp.store.cache_root", lambda: tmp_path / "register")
    return StackPaths("gpu", tmp_path)


def test_nothing_is_left_of_nothing(paths: StackPaths) -> None:
    assert remains(paths) == []


def test_each_kind_of_remains_is_found(paths: StackPaths) -> None:
    file = paths.backend / ".pulumi" / "stacks" / "llm-d" / "gpu.json"
    file.parent.mkdir(parents=True)
    pending = {"type": "creating", "resource": {"urn": "urn:b"}}
    latest = {"resources": [{"urn": "urn:a"}], "pending_operations": [pending]}
    file.write_text(json.dumps({"checkpoint": {"latest": latest}}), encoding="utf-8")
    with CloudStore(paths.cloud).transaction() as cloud:
        cloud["resources"] = {
            NETWORK: {
                "projects/p/global/networks/own": {MARKS: {"urn": "urn:a"}},
                "projects/p/global/networks/shared": {MARKS: {"urn": "existing::shared"}},
            },
            "gke:compute/firewalls": {"projects/p/global/firewalls/left": {}},
        }
    process = processes.start(paths, "machine", ["sleep", "60"], log=paths.logs / "machine.log")
    paths.cluster.mkdir()
    try:
        assert process.alive
        assert set(remains(paths)) == {
            "state: urn:a",
            "state: pending creating urn:b",
            f"Google Cloud: {NETWORK} projects/p/global/networks/own",
            "Google Cloud: gke:compute/firewalls projects/p/global/firewalls/left",
            "process: machine",
            "files: cluster/",
        }
    finally:
        processes.stop_all(paths)


def test_a_half_written_state_counts(paths: StackPaths) -> None:
    file = paths.backend / ".pulumi" / "stacks" / "llm-d" / "gpu.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"checkpoint": {', encoding="utf-8")
    assert remains(paths) == ["state: half written"]
