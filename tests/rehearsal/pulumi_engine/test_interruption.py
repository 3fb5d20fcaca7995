"""An interrupt reaches the engine wherever it comes from. What a killed destroy left is deleted by the next one."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from llm_d_gke.google_types import CLUSTER, NETWORK, ROUTER
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp import GcpProvider, lifecycle
from llm_d_gke.rehearsal.providers.gcp.store import MARKS, CloudStore
from llm_d_gke.rehearsal.providers.requests import DeleteRequest
from llm_d_gke.rehearsal.pulumi_engine import interruption
from llm_d_gke.rehearsal.pulumi_engine.interruption import EngineCommand, defer_interrupts

# Waits as for a pod that never starts, until the interrupt of this number.
ENGINE = """#!/bin/bash
[ "$1" = version ] && { echo v3.272.0; exit; }
heard=0
take() { heard=$((heard + 1)); echo "^C received"; [ "$heard" = "$ENDS_AT" ] && exit 1; }
trap take INT
echo waiting
while :; do sleep 0.1; done
"""


@pytest.mark.parametrize(("interrupts", "ends_at"), [(1, "1"), (2, "2"), (2, "never")])
def test_interrupts_of_this_process_alone_end_an_engine_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupts: int, ends_at: str
) -> None:
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(ENGINE, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(interruption, "_HEARD_SECONDS", 0.2)
    output: list[str] = []

    def take(line: str) -> None:
        output.append(line)
        if len(output) <= interrupts:
            os.kill(os.getpid(), signal.SIGINT)

    command = EngineCommand(None, str(tmp_path))
    with pytest.raises(KeyboardInterrupt), defer_interrupts():
        command.run(["up"], str(tmp_path), {"ENDS_AT": ends_at}, on_output=take)
    assert output[:2] == ["waiting", "^C received"]


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
