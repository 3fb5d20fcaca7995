"""An interruption at any moment leaves a state from which `up` and `down` both work."""

from __future__ import annotations

import pytest

from .project import Project

pytestmark = pytest.mark.rehearsal

# Output of `up` during the three long steps, before any of them is recorded.
CLUSTER = "waiting for the API server"
OBJECTS = "kubernetes:core/v1:Namespace namespace creat"
SERVER = "kubernetes:apps/v1:Deployment gemma-2b-it-vllm creating"


def interrupt(project: Project, moment: str, *command: str) -> str:
    running = project.start(*command)
    running.until_says(moment)
    running.control_c()
    done = running.wait()
    assert done.code == 130, done.text
    assert "make up STACK=gpu` continues, `make down STACK=gpu` cleans up" in done.text
    assert "Traceback" not in done.text, done.text
    return done.text


def kill(project: Project, moment: str, *command: str) -> None:
    running = project.start(*command)
    running.until_says(moment)
    running.kill()
    running.wait()


@pytest.mark.slow
def test_up_goes_on_after_every_interruption_and_down_after_a_kill(fresh: Project) -> None:
    for moment in (CLUSTER, OBJECTS, SERVER):
        interrupt(fresh, moment, "up", "gpu")
    assert "google/gemma-2b-it answered" in fresh.run("up", "gpu")
    # Resources begun before were adopted, not created a second time.
    assert len(fresh.model_servers("gpu")) == 1
    kill(fresh, "deleting", "down", "gpu")
    fresh.run("down", "gpu")
    assert fresh.leftovers("gpu") == []


@pytest.mark.slow
def test_up_goes_on_after_every_kill_and_down_after_an_interruption(fresh: Project) -> None:
    for moment in (CLUSTER, SERVER):
        kill(fresh, moment, "up", "gpu")
    assert "google/gemma-2b-it answered" in fresh.run("up", "gpu")
    interrupt(fresh, "deleting", "down", "gpu")
    fresh.run("down", "gpu")
    assert fresh.leftovers("gpu") == []


@pytest.mark.parametrize(
    "moment", [CLUSTER, OBJECTS, pytest.param(SERVER, marks=pytest.mark.slow)], ids=["cluster", "objects", "server"]
)
def test_down_after_an_interrupted_up_leaves_nothing(fresh: Project, moment: str) -> None:
    interrupt(fresh, moment, "up", "gpu")
    fresh.run("down", "gpu")
    assert fresh.leftovers("gpu") == []
