"""Many stacks are previewed by one command, each as it would be alone."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from llm_d_gke.operations.fleet.command import preview_fleet, print_fleet
from llm_d_gke.planning.plan.estimates import Total
from llm_d_gke.stackfile import PROJECT_ROOT, StackFileError

STACKS = ["broken", "first", "refused", "second"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two stacks that can be planned, one that is refused, one whose file cannot be read."""
    text = (PROJECT_ROOT / "Pulumi.gpu.yaml").read_text(encoding="utf-8")
    shutil.copy(PROJECT_ROOT / "Pulumi.yaml", tmp_path)
    refused = text.replace("maxModelLen: 2048", "maxModelLen: 9000000")
    for name, content in {"first": text, "second": text, "refused": refused, "broken": "config: {"}.items():
        (tmp_path / f"Pulumi.{name}.yaml").write_text(content, encoding="utf-8")
    return tmp_path


def test_rows_are_the_same_one_at_a_time_and_together(folder: Path) -> None:
    alone, together = ([replace(row, seconds=0.0) for row in preview_fleet(folder, STACKS, jobs)] for jobs in (1, 2))
    assert alone == together
    broken, first, refused, second = alone
    assert "Pulumi.broken.yaml" in broken.fault
    assert first.resources == second.resources > first.cloud > 10
    assert first.running == second.running
    assert first.errors == ()
    assert refused.errors
    assert refused.resources == 0


def test_acknowledged_findings_are_counted_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [row] = preview_fleet(folder, ["first"], 1)
    assert row.acknowledged == ("LLMD-GATEWAY-OPEN",)
    assert "LLMD-GATEWAY-OPEN" not in row.warnings
    print_fleet(["first"], folder, 1)
    assert "1 warning and 1 acknowledged" in capsys.readouterr().out


def test_names_with_a_comma_between_them_are_two(folder: Path) -> None:
    with pytest.raises(StackFileError, match="stack 'nope' does not exist"):
        print_fleet(["nope,gpu"], folder, 1)


def test_its_lines_fit_a_terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = next(preview_fleet(folder, ["first"], 1))
    rows = [replace(row, running=running) for running in (Total(12345.5), Total(12345.5, ("boot disks",)))]
    monkeypatch.setattr("llm_d_gke.operations.fleet.command.preview_fleet", lambda *_: iter(rows))
    print_fleet(["first", "second"], folder, 1)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "12,345.50+" in text
    assert "at least $24,691.00 an hour running (+: without boot disks, of unknown price)" in " ".join(text.split())


def test_the_command_lists_every_stack_of_the_folder_and_fails_for_a_refused_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_fleet([], folder, 1) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:] if line and not line.startswith(" ")][:4] == STACKS
    assert lines[0] == "previewing 4 stacks, 1 at a time; a line is printed as each is done"
    assert max(map(len, lines)) <= 80
    assert "4 stacks, 2 refused" in lines[-1]
    assert print_fleet(["first"], folder, 1) == 0


def test_two_stacks_in_one_namespace_of_an_existing_cluster_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "Pulumi.first.yaml").read_text(encoding="utf-8")
    existing = """
  llm-d:cluster: {existing: {name: shared, version: 1.35.2-gke.1842000}}
  llm-d:network: {existing: {network: n, subnetwork: s, podRange: p, serviceRange: v, nat: true}}
"""
    for name, namespace in {"one": "team-a", "other": "team-b", "third": "team-a"}.items():
        named = f"{text}{existing}  llm-d:namespace: {{name: {namespace}}}\n"
        (folder / f"Pulumi.{name}.yaml").write_text(named, encoding="utf-8")
    assert print_fleet(["one", "other"], folder, 1) == 0
    assert print_fleet(["one", "other", "third"], folder, 1) == 2
    words = " ".join(capsys.readouterr().out.split())
    assert "refused: stacks one and third have the same namespace, team-a, in cluster shared" in words
    assert "3 stacks, 1 refused" in words
