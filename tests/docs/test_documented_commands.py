"""Every command of the documents runs: of each page in its order, those of the rehearsed stack in one go.

Each test is a scope of its own for the processes of a run (tests/conftest.py), so that they run beside each other.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from llm_d_gke.stackfile import PROJECT_ROOT
from tests.docs.documents import DOCUMENTS, commands_in
from tests.project_copy import copy_project

pytestmark = [
    pytest.mark.rehearsal,
    pytest.mark.skipif(
        not (PROJECT_ROOT / ".venv").exists(), reason="the documents' commands go through make, which has its own .venv"
    ),
]

# Running the tests from within the tests would never end. `make test-engine` brings real vLLM up: 0.8 GB of downloads.
_RUN_ELSEWHERE = {"make test", "make test-engine", "make up STACK=gpu ENGINE=vllm"}
_OF_A_RUNNING_STACK = {"up", "preview", "status", "endpoint", "verify", "diagnose", "logs", "down"}


def _by_page() -> dict[str, list[str]]:
    """Each command once, by the first page that has it; those of the running stack under `rehearsal`, `down` last."""
    commands = {line: document.stem for document in reversed(DOCUMENTS) for line in commands_in(document, "bash")}
    pages: dict[str, list[str]] = {"rehearsal of all pages": []}
    for document in DOCUMENTS:
        for line in dict.fromkeys(commands_in(document, "bash")):
            if commands.get(line) == document.stem and line not in _RUN_ELSEWHERE:
                running = shlex.split(line)[1] in _OF_A_RUNNING_STACK
                pages.setdefault("rehearsal of all pages" if running else document.stem, []).append(line)
    pages["rehearsal of all pages"].sort(key=lambda line: line.startswith("make down "))
    return pages


PAGES = _by_page()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project, as a fresh clone with its packages installed would be."""
    copy = tmp_path_factory.mktemp("clone") / "project"
    copy_project(copy)
    (copy / ".venv").symlink_to(PROJECT_ROOT / ".venv")
    yield copy
    subprocess.run(["make", "down", "STACK=gpu"], cwd=copy, check=False, capture_output=True)  # noqa: S607


@pytest.mark.parametrize("commands", PAGES.values(), ids=PAGES)
def test_every_command_of_the_documents_runs(project: Path, commands: Sequence[str]) -> None:
    failed = []
    for command in commands:
        done = subprocess.run(shlex.split(command), cwd=project, check=False, capture_output=True, text=True)
        if done.returncode:
            failed.append(f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    assert not failed, "\n\n".join(failed)
    assert not (project / ".rehearsal").exists()


def test_no_command_is_left_out() -> None:
    written = {line for document in DOCUMENTS for line in commands_in(document, "bash")}
    assert sorted(line for lines in PAGES.values() for line in lines) == sorted(written - _RUN_ELSEWHERE)
