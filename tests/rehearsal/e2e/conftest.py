"""Stacks that several files of tests look at, started once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from .group_stacks import KSERVE, MODELS, SLICE, WIDE
from .long_answer import LongAnswer
from .project import STACKS, Project, project_in


@dataclass(frozen=True)
class Running:
    """The project whose stacks are up, what `up` printed for each, and an answer of more than a minute."""

    project: Project
    outputs: dict[str, str]
    answer: LongAnswer


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with project_in(tmp_path_factory.mktemp("running")) as project:
        project.commit()
        outputs = project.up_together(*STACKS)
        answer = LongAnswer(project, "tpu", tokens=1900, seconds=66.5)
        yield Running(project, outputs, answer)


@pytest.fixture(scope="session")
def group_stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The first two stacks come up at the same time, the third with more controllers after them."""
    with project_in(tmp_path_factory.mktemp("groups")) as project:
        for stacks in ((WIDE, SLICE), (KSERVE,)):
            for stack, output in project.up_together(*stacks).items():
                assert f"{MODELS[stack]} answered in" in output
        yield project


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A copy of the project in which nothing ran yet."""
    with project_in(tmp_path_factory.mktemp("fresh")) as project:
        yield project
