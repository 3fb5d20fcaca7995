"""`down` leaves the machine as it was."""

from __future__ import annotations

import pytest

from .conftest import Running
from .project import STACKS, chat, processes_about, temporary

pytestmark = pytest.mark.rehearsal


def test_the_projects_own_files_are_as_they_were(running: Running) -> None:
    assert running.project.git("status", "--porcelain") == ""


def test_down_leaves_nothing_and_touches_no_other_stack(running: Running) -> None:
    project = running.project
    assert processes_about(str(project.paths("gpu").home)), "a stack that is up has processes"
    output = project.run("down", "gpu")
    assert "no process, no file is left" in output
    assert project.leftovers("gpu") == []
    assert chat(project.run("endpoint", "tpu").strip(), "Qwen/Qwen2.5-3B-Instruct").status_code == 200
    project.run("down", "tpu")
    assert project.leftovers("tpu") == []
    assert not (project.root / ".rehearsal").exists()
    assert [process for stack in STACKS for process in processes_about(str(project.paths(stack).base))] == []
    assert [path.name for path in temporary(project.root).iterdir()] == []
    assert project.git("status", "--porcelain") == ""


def test_down_of_what_is_not_up_says_so(running: Running) -> None:
    assert running.project.run("down", "gpu").strip() == "stack gpu is not up"
    assert "is not up" in running.project.run("status", "gpu", code=1)
    assert "Traceback" not in running.project.run("endpoint", "gpu", code=1)
