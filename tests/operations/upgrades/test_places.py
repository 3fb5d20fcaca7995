"""What a step does where a stack runs: targeted updates of the rehearsal's engine, or of the user's Pulumi."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.automation import CommandError
from pulumi.automation._cmd import CommandResult

from llm_d_gke.operations.upgrades import rehearsed
from llm_d_gke.operations.upgrades.command import planned
from llm_d_gke.operations.upgrades.gke import OnGke
from llm_d_gke.operations.upgrades.rehearsed import Rehearsed
from llm_d_gke.operations.upgrades.run import StepError
from llm_d_gke.planning.upgrades.step import Step, UpgradePlan
from llm_d_gke.rehearsal.paths import StackPaths
from tests.stacks import graph_of

SETTINGS = {"llm-d:release": "llm-d-0.10"}
DISK = "urn:pulumi:gpu::llm-d::gcp:compute/disk:Disk::weights"


def steps() -> tuple[Step, Step]:
    """The step of the servers, and the last one."""
    *_, servers, rest = planned("gpu", "llm-d-0.9", "llm-d-0.10", {}).steps
    assert servers.name == "servers-gemma-2b-it"
    return servers, rest


class Stack:
    """A stack in which everything exists; it notes the targets of its updates."""

    def __init__(self, *, fails: bool = False) -> None:
        self.targets: list[list[str] | None] = []
        self._fails = fails

    def export_stack(self) -> SimpleNamespace:
        return SimpleNamespace(deployment={"resources": [{"urn": resource.urn} for resource in graph_of("gpu")]})

    def up(self, *, target: list[str] | None, **_: Any) -> None:
        self.targets.append(target)
        if self._fails:
            raise CommandError(CommandResult("", "error: no quota", 255))


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StackPaths:
    """A folder in place of the project's for everything that runs; nothing is built."""
    paths = StackPaths("gpu", tmp_path)
    paths.home.mkdir(parents=True)
    monkeypatch.setattr(rehearsed, "StackPaths", lambda _: paths)
    for name in ("binaries", "resume_interrupted", "write_engine_simulation"):
        monkeypatch.setattr(rehearsed, name, lambda *_: None)
    monkeypatch.setattr(rehearsed, "obtain", lambda *_: True)
    return paths


def use(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    @contextlib.contextmanager
    def engine(*_: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(stack=stack)

    monkeypatch.setattr(rehearsed, "engine", engine)


def test_a_step_updates_its_own_resources_and_the_last_one_all(
    folder: StackPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack()
    use(monkeypatch, stack)
    servers, rest = steps()
    place = Rehearsed("gpu")
    place.update(SETTINGS, servers)
    # Until the last step the stack is between two releases.
    assert place.applied_release() is None
    place.update(SETTINGS, rest)
    assert place.applied_release() == "llm-d-0.10"
    targets, everything = stack.targets
    assert everything is None
    assert targets is not None
    assert all("ModelServer" in urn for urn in targets)
    assert any(urn.endswith("Deployment::gemma-2b-it-vllm") for urn in targets)


def test_a_failed_update_is_a_failed_step(folder: StackPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Stack(fails=True))
    with pytest.raises(StepError, match="no quota"):
        Rehearsed("gpu").update(SETTINGS, steps()[0])
    assert not folder.settings.exists()


def test_the_last_upgrade_is_remembered(folder: StackPaths) -> None:
    place = Rehearsed("gpu")
    assert place.last_upgrade("new") is None
    place.record(UpgradePlan(stack="gpu", before="old", after="new", steps=()))
    assert place.last_upgrade("new") == ("old", "new")
    place.record(UpgradePlan(stack="gpu", before="new", after="old", steps=(), back=True))
    assert place.last_upgrade("old") == ("old", "new"), "a second rollback leads back, too"


PULUMI = """
import json, os, sys
words = sys.argv[1:]
open(os.environ["CALLS"], "a").write(json.dumps(words) + "\\n")
if words[:2] == ["stack", "export"]: print(os.environ["STATE"])
if words[:2] == ["stack", "history"]: print(os.environ["HISTORY"])
if words[0] == "preview": print(os.environ.get("PREVIEW", '{"steps": []}'))
if words[0] == "up" and os.environ.get("FAILS"): sys.exit("error: no quota")
"""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file that lists the command lines of a stand-in of Pulumi in PATH."""
    program = tmp_path / "pulumi"
    program.write_text(f"#!{sys.executable}\n{PULUMI}", encoding="utf-8")
    program.chmod(stat.S_IRWXU)
    state = {"deployment": {"resources": [{"urn": resource.urn} for resource in graph_of("gpu")]}}
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STATE", json.dumps(state))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def lines(calls: Path) -> list[list[str]]:
    return [json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines()]


def test_on_gke_updates_of_a_rollback_say_so_and_a_second_one_leads_back_too(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = OnGke("gpu")
    place.record(UpgradePlan(stack="gpu", before="new", after="old", steps=(), back=True))
    place.update(SETTINGS, steps()[1])
    *_, update = lines(calls)
    message = update[update.index("--message") + 1]

    def entry(release: str, result: str = "succeeded", message: str = "") -> dict[str, Any]:
        config = {"llm-d:release": {"value": release}}
        return {"kind": "update", "result": result, "config": config, "message": message}

    for result in ("failed", "succeeded"):
        back = entry("old", result, message)
        for history in ([back], [entry("old"), back]):
            monkeypatch.setenv("HISTORY", json.dumps([*history, entry("new"), entry("old")]))
            assert place.last_upgrade("old") == ("old", "new")
    monkeypatch.setenv("HISTORY", json.dumps([entry("new"), entry("old", message=message), entry("new")]))
    assert place.last_upgrade("new") == ("old", "new")


def test_on_gke_each_step_is_previewed_and_then_a_targeted_update(calls: Path) -> None:
    servers, rest = steps()
    OnGke("gpu").update(SETTINGS, servers)
    export, preview, update = lines(calls)
    assert export == ["stack", "export", "--stack", "gpu"]
    assert preview[:2] == ["preview", "--json"]
    assert update[:3] == ["up", "--yes", "--skip-preview"]
    assert preview[2:] == update[3:]
    assert "llm-d:release=llm-d-0.10" in update
    targets = [word for before, word in itertools.pairwise(update) if before == "--target"]
    assert targets
    assert all("ModelServer" in urn for urn in targets)
    calls.unlink()
    OnGke("gpu").update(SETTINGS, rest)
    assert [words[0] for words in lines(calls)] == ["preview", "up"]
    assert "--target" not in lines(calls)[-1]


def test_on_gke_a_deletion_of_data_stops_before_the_update(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREVIEW", json.dumps({"steps": [{"op": "delete", "urn": DISK, "oldState": {}}]}))
    with pytest.raises(StepError, match="LLMD-PREFLIGHT-DELETES"):
        OnGke("gpu").update(SETTINGS, steps()[1])
    assert [words[0] for words in lines(calls)] == ["preview"]


def test_on_gke_a_failed_update_is_a_failed_step(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "yes")
    with pytest.raises(StepError, match="ended with 1"):
        OnGke("gpu").update(SETTINGS, steps()[1])
    assert len(lines(calls)) == 2


def test_pulumi_gets_a_value_without_the_quotes_of_a_shell(calls: Path) -> None:
    """Pulumi keeps quotes as a part of the text, and the program would refuse them."""
    OnGke("gpu").update({**SETTINGS, "llm-d:cluster.version": '"1.36"'}, steps()[1])
    assert all("llm-d:cluster.version=1.36" in words for words in lines(calls))
