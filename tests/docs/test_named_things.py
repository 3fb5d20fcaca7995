"""Tests, commands, modules and findings that the documents name exist."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_d_gke.planning.rules import RULES
from llm_d_gke.stackfile import PROJECT_ROOT as ROOT
from tests.docs.documents import DOCUMENTS

# A changelog also names what a later version removed.
PRESENT = [document for document in DOCUMENTS if document.name != "CHANGELOG.md"]


def in_code_marks(document: Path) -> Iterator[str]:
    yield from re.findall(r"`([^`\n]+)`", document.read_text(encoding="utf-8"))


@functools.cache
def names_in(file: Path) -> frozenset[str]:
    """Classes and functions of a file of tests, methods as `Class::method`."""
    names = set[str]()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names |= {node.name} | {
                f"{node.name}::{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)
            }
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
    return frozenset(names)


def test_tests_that_documents_name_by_id_are_there() -> None:
    """`tests/.../test_x.py::TestY::test_z`, and `TestZ` alone beside a file of tests in the same line."""
    named = [
        (document.name, file, test.partition("[")[0])
        for document in PRESENT
        for file, _, test in (text.partition("::") for text in in_code_marks(document))
        if test and file.startswith("tests/")
    ]
    for document in PRESENT:
        for line in document.read_text(encoding="utf-8").splitlines():
            files = re.findall(r"`(tests/[\w/]+\.py)", line)
            named += [(document.name, files[-1], name) for name in re.findall(r"`(Test\w+|test_\w+)`", line) if files]
    assert ("security.md", "tests/planning/routing/test_edge.py", "TestEnvoy") in named
    missing = [
        f"{document}: {file}::{name}"
        for document, file, name in named
        if not (ROOT / file).is_file() or name not in names_in(ROOT / file)
    ]
    assert missing == []


def test_threats_and_faults_name_what_shows_them() -> None:
    """Each row of the tables of docs/security.md that have this column names a test."""
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\|.*\| shown by \|\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert len(tables) == 2
    rows = [row for table in tables for row in table.splitlines()]
    assert [row for row in rows if "`tests/" not in row.split("|")[-2]] == []


def test_targets_of_make_that_documents_name_are_there() -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        (document.name, target)
        for document in PRESENT
        for text in in_code_marks(document)
        for target in re.findall(r"(?:^|[\s(])make ([a-z][\w-]*)", text)
    }
    assert ("security.md", "scan") in named
    assert sorted((document, target) for document, target in named if target not in targets) == []


def test_modules_that_documents_run_are_there() -> None:
    named = {
        (document.name, module)
        for document in PRESENT
        for text in in_code_marks(document)
        for module in re.findall(r"python -m ((?:llm_d_gke|tests)[\w.]*)", text)
    }
    assert named
    files = {entry: [ROOT / f"{entry[1].replace('.', '/')}{end}" for end in (".py", "/__main__.py")] for entry in named}
    assert sorted(entry for entry, places in files.items() if not any(place.is_file() for place in places)) == []


def test_findings_that_documents_name_are_there() -> None:
    named = {
        (document.name, identifier)
        for document in PRESENT
        for identifier in re.findall(r"LLMD-[A-Z0-9]+(?:-[A-Z0-9]+)*", document.read_text(encoding="utf-8"))
    }
    assert sorted((document, identifier) for document, identifier in named if identifier not in RULES) == []


@pytest.mark.parametrize("area", ["operations", "maintenance", "rehearsal", "planning"])
def test_the_architecture_names_every_package(area: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    packages = {file.parent.name for file in (ROOT / "llm_d_gke" / area).glob("*/__init__.py")}
    assert len(packages) > 9
    # A path or a code mark names it.
    assert {name for name in packages if not re.search(rf"[`/]{name}\b", page)} == set()
