"""The table of neighboring releases is that of the catalog."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from llm_d_gke import catalog
from llm_d_gke.maintenance.reference import upgrades
from llm_d_gke.maintenance.reference.upgrades import neighbors, with_table
from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.stackfile import StackConfig, project_stacks
from llm_d_gke.stackfile.assumptions import load_assumed


def test_every_release_has_a_neighbor() -> None:
    pairs = neighbors()
    assert {name for pair in pairs for name in pair} == set(catalog.load().releases)
    assert len(pairs) == sum(release.follows is not None for release in catalog.load().releases.values())


def test_every_stack_has_a_row_with_every_pair() -> None:
    # tests/docs/test_reference.py holds the page to what the catalog says.
    _, lines, _ = re.split(r"<!-- neighbors: \w+ -->\n", upgrades.PAGE.read_text(encoding="utf-8"))
    head, line, *rows = lines.splitlines()
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == project_stacks()
    assert {row.count("|") for row in (head, line, *rows)} == {len(neighbors()) + 2}


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="neighbors: begin"):
        with_table("# Upgrades\n")


def test_errors_that_a_stack_file_may_acknowledge_do_not_refuse_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_open(stack: str, changes: Mapping[str, str]) -> StackConfig:
        return load_assumed(stack, {**changes, "llm-d:acknowledge": "[]"})

    with pytest.raises(RefusedError, match="LLMD-GATEWAY-OPEN"):
        plan_config("gpu", load_open("gpu", {}))
    monkeypatch.setattr(upgrades, "load_assumed", load_open)
    assert upgrades._planned("gpu", "llm-d-0.9").gateway.external
