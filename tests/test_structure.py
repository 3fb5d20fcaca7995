"""Modules stay short enough to be read at once, and quick to import."""

from __future__ import annotations
import __future__

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator

from pydantic import BaseModel

import llm_d_gke.components.stack  # noqa: F401 (every model of the program)
from llm_d_gke.maintenance.scan import scanners
from llm_d_gke.stackfile import PROJECT_ROOT

_LINES = 400
_OUTSIDE = ("llm_d_gke.maintenance.", "llm_d_gke.operations.", "llm_d_gke.rehearsal.")


def test_no_module_is_longer_than_it_may_be() -> None:
    modules = (PROJECT_ROOT / "llm_d_gke").rglob("*.py")
    lengths = {module: len(module.read_text(encoding="utf-8").splitlines()) for module in modules}
    assert {str(module): lines for module, lines in lengths.items() if lines > _LINES} == {}


def test_environments_lie_beside_the_package() -> None:
    """What `make` installs below llm_d_gke would be taken for modules of it."""
    # Nothing runs: make prints what it would.
    command = ["make", "-C", str(PROJECT_ROOT), "--dry-run", "--always-make", "scan", "sbom", "policy", "bench-env"]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    ).stdout
    folders = {match[1] for match in re.finditer(r"venv (?:-\S+ |--\S+ )*([\w./-]*\.venv[\w./-]*)", printed)}
    assert {".venv-scan", ".venv-bench", "policy/.venv"} <= folders
    assert [folder for folder in folders if folder.startswith("llm_d_gke")] == []
    assert scanners.ENVIRONMENT == PROJECT_ROOT / ".venv-scan"


def test_tests_of_commands_and_tools_lie_in_the_folder_of_their_room() -> None:
    for area in ("maintenance", "operations"):
        rooms = {path.name for path in (PROJECT_ROOT / "llm_d_gke" / area).iterdir()}
        tests = {path.name for path in (PROJECT_ROOT / "tests" / area).iterdir() if path.is_dir()} - {"__pycache__"}
        flat = {path.name.removeprefix("test_") for path in (PROJECT_ROOT / "tests" / area).glob("test_*.py")}
        assert (tests | flat) - rooms == set(), area


def test_the_docstring_of_a_room_says_which_module_to_open() -> None:
    unnamed = []
    for area in ("maintenance", "operations", "rehearsal"):
        for room in (PROJECT_ROOT / "llm_d_gke" / area).rglob("__init__.py"):
            docstring = ast.get_docstring(ast.parse(room.read_text(encoding="utf-8"))) or ""
            modules = {module.stem for module in room.parent.glob("*.py")} - {"__init__", "__main__"}
            unnamed += [f"{room.parent.name}/{name}" for name in modules if f"`{name}`" not in docstring]
    assert sorted(unnamed) == []


def test_modules_of_models_do_not_postpone_annotations() -> None:
    """Postponed annotations are texts, which pydantic compiles again at each import: a tenth of the program's start."""
    modules = {model.__module__ for model in _descendants(BaseModel) if model.__module__.startswith("llm_d_gke.")}
    program = {name for name in modules if not name.startswith(_OUTSIDE)}
    postponed = {name for name in program if getattr(sys.modules[name], "annotations", None) is __future__.annotations}
    assert len(program) > 50
    assert postponed == set()


def _descendants(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in model.__subclasses__():
        yield child
        yield from _descendants(child)
