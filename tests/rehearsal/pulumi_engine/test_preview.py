"""A preview of a stack that does not stand is of the release that Google Cloud would get."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from planning import plan_raw
from rehearsal import commands
from rehearsal.paths import StackPaths
from rehearsal.pulumi_engine.configuration import load
from stackfile import PROJECT_ROOT, StackConfig


@pytest.fixture
def previewed(monkeypatch: pytest.MonkeyPatch) -> list[StackConfig]:
    """Configurations that the engine was started with."""
    seen: list[StackConfig] = []

    @contextlib.contextmanager
    def engine(paths: StackPaths, configuration: StackConfig, report: object) -> Iterator[SimpleNamespace]:
        seen.append(configuration)
        yield SimpleNamespace(stack=SimpleNamespace(preview=lambda **_: None))

    monkeypatch.setattr(commands, "engine", engine)
    monkeypatch.setattr(commands, "_say_changes", lambda *_: None)
    return seen


@pytest.mark.parametrize("stack", ["gpu", "multi-model-gpu"])
def test_it_shows_the_memory_that_the_report_shows(previewed: list[StackConfig], stack: str) -> None:
    commands.preview(commands.Request(stack))
    [configuration] = previewed
    reported = load(PROJECT_ROOT, stack, own_release=True)
    plans = [plan_raw(stack, given.settings(), given.encrypted()) for given in (configuration, reported)]
    assert plans[0].release == plans[1].release
    memory = [[model.servers[0].memory for model in plan.models] for plan in plans]
    assert memory[0] == memory[1]
