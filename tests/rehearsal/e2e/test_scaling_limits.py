"""No replica without requests, and other numbers of replicas at some hours: KEDA's programs, which read the clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .project import Project, project_in
from .scaling import CHANGES, FROM_ZERO, STACK, wake, window
from .traffic import PATIENCE

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("limits")) as created:
        created.run("up", STACK, *CHANGES)
        yield created


def test_a_window_has_its_replicas_on_time_and_loses_no_request(project: Project) -> None:
    done = window(project.paths(STACK), lambda *changes: project.run("up", STACK, *changes))
    # The rehearsed autoscaler looks every two seconds; a replica is drained before it ends.
    assert max(done.raised, done.lowered) < 45.0
    assert done.raised >= 0.0
    assert done.lowered >= 0.0
    assert done.unanswered == 0
    assert done.requests > 100


def test_requests_to_no_replica_wait_in_the_pickers_queue(project: Project) -> None:
    project.run("up", STACK, *FROM_ZERO[True])
    done = wake(project.paths(STACK), wait=True)
    assert done.refused == ()
    assert done.sent > 1
    assert done.longest < PATIENCE
    assert project.verified(STACK, *FROM_ZERO[True]) >= {"objects", "replicas"}


def test_requests_to_no_replica_without_a_queue_get_503_until_the_first_answer(project: Project) -> None:
    project.run("up", STACK, *FROM_ZERO[False])
    done = wake(project.paths(STACK), wait=False)
    assert set(done.refused) == {503}
    # What a request sees is one or the other: none waits, and none is refused once a replica has answered.
    assert 0 < len(done.refused) <= done.sent
    assert done.longest < done.first
    project.run("down", STACK)
    assert project.leftovers(STACK) == []
