"""One stack with two real engines, installed once for every test of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..e2e.project import project_in
from .running import CHANGES, STACK, START_SECONDS, Up


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with project_in(tmp_path_factory.mktemp("real-engine")) as project:
        output = project.run("up", STACK, "--engine", "vllm", *CHANGES, patience=START_SECONDS)
        yield Up(project, output)
