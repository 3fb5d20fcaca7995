"""The end of a pull request's stack: the workflow's own step, with a Pulumi that removes files as the real one does."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.stackfile import PROJECT_ROOT

from .server import write_programs

STACK = "pr-7"
# Pulumi's `stack rm` deletes the stack file beside the program (pkg/cmd/pulumi, v3.259.0).
_PULUMI = """#!/bin/sh
case "$*" in
  *"stack rm"*) name=$(echo "$*" | sed 's/.*stack rm \\([^ ]*\\).*/\\1/');;
esac
case "$*" in *"stack rm"*) rm "$STATES/$name" "Pulumi.$name.yaml";; esac
"""
_PYTHON = """#!/bin/sh
case "$*" in
  *expired-stacks*) basename -a "$4"/* | sed 's/^Pulumi.\\(.*\\).yaml$/\\1/';;
  *" destroy "*) [ -e "Pulumi.$4.yaml" ] && [ -e "$STATES/$4" ] && [ ! -e "$STATES/left" ];;
esac
"""


@dataclass(frozen=True)
class Place:
    """A checkout of main, the bucket with the kept stack file, and the states."""

    folder: Path

    @property
    def kept_file(self) -> Path:
        return self.folder / "buckets" / "states" / "review" / f"Pulumi.{STACK}.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "buckets" / STACK

    @property
    def left(self) -> Path:
        """Something that Google's controllers left."""
        return self.folder / "buckets" / "left"

    def end(self, closed: str) -> int:
        """Run the step in a fresh checkout: for a closed pull request, or by schedule where `closed` is empty."""
        document = read_yaml(PROJECT_ROOT / ".github" / "workflows" / "review.yml")
        [step] = [step for step in document["jobs"]["down"]["steps"] if step.get("name") == "Destroy"]
        work = self.folder / f"work-{len(list(self.folder.glob('work-*')))}"
        (work / ".venv" / "bin").mkdir(parents=True)
        _program(work / ".venv" / "bin" / "python", _PYTHON)
        variables = {
            "PATH": f"{self.folder / 'programs'}{os.pathsep}{os.environ['PATH']}",
            "WALK_BUCKETS": str(self.folder / "buckets"),
            "STATES": str(self.folder / "buckets"),
            "STATE": "gs://states?prefix=a",
            "CLOSED": closed,
        }
        done = subprocess.run(["bash", "-e", "-c", step["run"]], cwd=work, env=variables, check=False)  # noqa: S607
        return done.returncode


def _program(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    _program(write_programs(tmp_path / "programs") / "pulumi", _PULUMI)
    place = Place(tmp_path)
    place.kept_file.parent.mkdir(parents=True)
    place.kept_file.write_text("config: {}\n", encoding="utf-8")
    place.state.touch()
    return place


@pytest.mark.parametrize("closed", ["7", ""])
def test_the_stack_and_its_kept_file_go(place: Place, closed: str) -> None:
    assert place.end(closed) == 0
    assert not place.state.exists()
    assert not place.kept_file.exists()


def test_where_something_is_left_the_next_run_can_destroy_again(place: Place) -> None:
    place.left.touch()
    assert place.end("7") == 1
    assert place.kept_file.exists()
    assert place.state.exists()
    place.left.unlink()
    assert place.end("") == 0
    assert not place.kept_file.exists()
