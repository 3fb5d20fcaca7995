"""A preview uses the stack's own release, with or without a running stack."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from llm_d_gke.planning import plan_raw
from llm_d_gke.rehearsal import commands
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig


@pytest.fixture
def previewed(monkeypatch: pytest.MonkeyPatch) -> list[StackConfig]:
    """Configurations that the engine was started with."""
    seen: list[StackConfig] = []

    @contextlib.contextmanager
    def engine(paths: StackPaths, configuration: StackConfig, report: object) -> Iterator[SimpleNamespace]:
        seen.append(configuration)
        yield SimpleNamespace(stack=SimpleNamespace(preview=lambda **_: None))

    monkeypatch.setattr(commands, "engine", engine)
    monkeypatch.setattr(commands, "print_changes", lambda *_: None)
    return seen


@pytest.mark.parametrize("stands", [False, True], ids=["new", "running"])
@pytest.mark.parametrize("stack", ["gpu", "multi-model-gpu", "disaggregated-gpu"])
def test_it_shows_the_memory_that_the_report_shows(
    previewed: list[StackConfig], stack: str, stands: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where another picker runs here: the engine and its memory are the release's."""
    paths = StackPaths(stack, tmp_path)
    monkeypatch.setattr(commands, "StackPaths", lambda _: paths)
    if stands:
        paths.home.mkdir(parents=True)
        paths.cloud.write_text("{}")
    commands.preview(stack)
    [configuration] = previewed
    reported = load(PROJECT_ROOT, stack, own_release=True)
    plans = [plan_raw(stack, config.settings(), config.encrypted()) for config in (configuration, reported)]
    assert plans[0].release == plans[1].release == "llm-d-0.9"
    memory = [[model.servers[0].memory for model in plan.models] for plan in plans]
    assert memory[0] == memory[1]
