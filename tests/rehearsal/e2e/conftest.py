"""Two stacks that run at the same time, brought up once for every test that looks at running stacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .long_answer import LongAnswer
from .project import STACKS, Project


@dataclass(frozen=True)
class Running:
    """The project whose stacks are up, what `up` printed for each, and an answer of more than a minute."""

    project: Project
    said: dict[str, str]
    answer: LongAnswer


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    project = Project(tmp_path_factory.mktemp("running") / "project")
    try:
        commands = {stack: project.start("up", stack) for stack in STACKS}
        done = {stack: command.wait() for stack, command in commands.items()}
        for stack, one in done.items():
            assert one.code == 0, f"up {stack}:\n{one.text}"
        answer = LongAnswer(project, "tpu", tokens=1900, seconds=66.5)
        yield Running(project, {stack: one.text for stack, one in done.items()}, answer)
    finally:
        project.clear()


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of the project in which nothing ran yet."""
    project = Project(tmp_path_factory.mktemp("fresh") / "project")
    try:
        yield project
    finally:
        project.clear()
