"""`preview` and `up` refuse what would delete data, before anything is changed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from llm_d_gke.planning import RefusedError
from llm_d_gke.rehearsal import commands
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.changes import PlannedSteps
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.stackfile import PROJECT_ROOT

KINDS = "urn:pulumi:gpu::llm-d::llm-d:platform:PlatformCharts$kubernetes:helm.sh/v3:Release::kserve-llmisvc-crd"
CHART = {"chart": "oci://ghcr.io/kserve/charts/kserve-llmisvc-crd"}
ACKNOWLEDGED = {"llm-d:acknowledge[1].id": "LLMD-PREFLIGHT-DELETES", "llm-d:acknowledge[1].reason": "no other service"}


def event(operation: str, *, retained: bool = False) -> EngineEvent:
    """An event in the engine's own JSON."""
    old = {"type": "kubernetes:helm.sh/v3:Release", "urn": KINDS, "retainOnDelete": retained, "inputs": CHART}
    metadata = {"op": operation, "urn": KINDS, "type": "kubernetes:helm.sh/v3:Release", "provider": "", "old": old}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, "resourcePreEvent": {"metadata": metadata}})


class Stack:
    """A stack whose preview plans these steps; `changed` counts its updates."""

    def __init__(self, *events: EngineEvent) -> None:
        self._events, self.changed = events, 0

    def preview(self, *, on_event: Callable[[EngineEvent], None], **_: Any) -> None:
        for planned in self._events:
            on_event(planned)

    def up(self, **_: Any) -> SimpleNamespace:
        self.changed += 1
        raise StopIteration


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Stack], None]:
    """Makes the engine that of a stack which runs here with other settings than its file has."""
    paths = StackPaths("gpu", tmp_path)
    paths.home.mkdir(parents=True)
    paths.cloud.write_text("{}")
    paths.settings.write_text(json.dumps({"llm-d:release": "another"}))
    monkeypatch.setattr(commands, "StackPaths", lambda _: paths)
    for name in ("create_existing", "resume_interrupted", "write_engine_simulation", "binaries"):
        monkeypatch.setattr(commands, name, lambda *_: None)

    def use(stack: Stack) -> None:
        @contextlib.contextmanager
        def engine(*_: object) -> Iterator[SimpleNamespace]:
            yield SimpleNamespace(stack=stack)

        monkeypatch.setattr(commands, "engine", engine)

    return use


def test_a_deleted_chart_of_kinds_refuses_the_preview(running: Callable[[Stack], None]) -> None:
    running(Stack(event("delete")))
    with pytest.raises(RefusedError, match="LLMD-PREFLIGHT-DELETES"):
        commands.preview("gpu")


def test_an_up_with_a_changed_setting_is_refused_before_it_changes_anything(running: Callable[[Stack], None]) -> None:
    stack = Stack(event("delete"))
    running(stack)
    with pytest.raises(RefusedError, match="every object of these kinds"):
        commands.up("gpu")
    assert stack.changed == 0


def test_an_acknowledged_deletion_goes_on(running: Callable[[Stack], None], capsys: pytest.CaptureFixture[str]) -> None:
    stack = Stack(event("delete"))
    running(stack)
    assert commands.preview("gpu", ACKNOWLEDGED) == 0
    assert "acknowledged: no other service" in capsys.readouterr().out
    with pytest.raises(StopIteration):
        commands.up("gpu", ACKNOWLEDGED)
    assert stack.changed == 1


def test_an_acknowledgement_that_no_deletion_needs_is_warned_of(
    running: Callable[[Stack], None], capsys: pytest.CaptureFixture[str]
) -> None:
    running(Stack(event("update")))
    assert commands.preview("gpu", ACKNOWLEDGED) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "(warning) LLMD-ACKNOWLEDGE-UNUSED" in printed
    assert "would let the next deletion pass remove it" in printed


@pytest.mark.parametrize(("operation", "retained"), [("update", False), ("same", False), ("delete", True)])
def test_what_stays_is_no_loss(operation: str, retained: bool) -> None:
    steps = PlannedSteps()
    steps.take(event(operation, retained=retained))
    assert steps.refuse_losses(load(PROJECT_ROOT, "gpu")) == []
