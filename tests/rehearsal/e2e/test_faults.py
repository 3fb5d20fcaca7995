"""Each fault of the table in docs/security.md, on one running stack under load: nothing is lost outside its window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm_d_gke.cli.markdown import print_row
from llm_d_gke.rehearsal.paths import StackPaths

from .faults import CHANGES, FAULTS, STACK, cells, outcome
from .project import project_in

# What serves requests itself loses those in hand when it is killed. Everything else may lose none.
LOSING = {
    "an engine of three is killed",
    "the picker is killed, `failureMode: close`",
    "the Gateway's only proxy is killed",
    "an engine fills its disk",
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackPaths]:
    with project_in(tmp_path_factory.mktemp("faults")) as project:
        project.run("up", STACK, *CHANGES)
        yield project.paths(STACK)


@pytest.mark.rehearsal
@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_requests_are_lost_in_the_window_of_a_fault_only(paths: StackPaths, name: str) -> None:
    result = outcome(name, FAULTS[name], paths)
    print_row(*cells(result))
    assert result.requests > 80
    assert result.outside == 0
    if name not in LOSING:
        assert result.failed == 0
