"""The commands `upgrade`, `rollback` and `deletions`, the release in a stack file, and the history on GKE."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.cli.exits import FAILED, REFUSED
from llm_d_gke.operations.upgrades.command import (
    Run,
    judge_preview,
    planned,
    release_of,
    rollback,
    upgrade,
    write_release,
)
from llm_d_gke.operations.upgrades.gke import previous_release
from llm_d_gke.operations.upgrades.run import UpgradeError
from llm_d_gke.planning import RefusedError
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.command_line import llmd

DISK = "urn:pulumi:gpu::llm-d::gcp:compute/disk:Disk::weights"


def test_the_plan_is_printed_without_a_running_stack(capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade("gpu", "llm-d-0.10", {}, Run(target=None, only_plan=True)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("gpu: llm-d-0.9 -> llm-d-0.10\n")
    assert "image vllm-openai:v0.26.0 -> vllm-openai:v0.30.0" in printed


def test_a_release_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(UpgradeError, match=r"did you mean llm-d-0\.10\?"):
        upgrade("gpu", "llm-d-0.1O", {}, Run(target=None, only_plan=True))
    with pytest.raises(UpgradeError, match=r"^no release is named llm-d-0\.99: (?!did you mean llm-d-0\.9\?)"):
        upgrade("gpu", "llm-d-0.99", {}, Run(target=None, only_plan=True))


def test_a_release_among_the_changes_is_refused() -> None:
    with pytest.raises(UpgradeError, match="has no effect: the upgrade leads to llm-d"):
        upgrade("gpu", "llm-d-0.10", {"llm-d:release": "llm-d-0.6"}, Run(target=None, only_plan=True))


def test_a_release_that_the_stack_cannot_have_is_a_finding() -> None:
    with pytest.raises(RefusedError) as refused:
        planned("disaggregated-gpu", "llm-d-0.9", "gaie-1.5", {})
    assert "LLMD-PD-RELEASE" in {finding.id for finding in refused.value.findings}


def test_a_rollback_that_ended_is_not_run_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Back:
        def last_upgrade(self, current: str) -> tuple[str, str]:
            return current, "llm-d-0.10"

        def applied_release(self) -> str:
            return release_of("gpu")

    monkeypatch.setattr("llm_d_gke.operations.upgrades.command._updater", lambda _stack, _target: Back())
    assert rollback("gpu", {}, Run(target="rehearsal")) == 0
    assert "gpu is back on llm-d-0.9 already: nothing was changed" in capsys.readouterr().out


def test_the_command_of_the_page_is_planned() -> None:
    """docs/upgrades.md: a GKE version and a driver, with -c."""
    page = (PROJECT_ROOT / "docs" / "upgrades.md").read_text(encoding="utf-8")
    [line] = [line for line in page.splitlines() if "llm-d:cluster.version=" in line]
    _, _, stack, to, *options = shlex.split(line)
    changes = dict(option.split("=", 1) for option in options if "=" in option)
    assert len(changes) == 2
    names = [step.name for step in planned(stack, release_of(stack), to, changes).steps]
    assert "nodes-accelerator-0" in names
    version = changes["llm-d:cluster.version"]
    minors = [name for name in names if name.startswith("control-plane")] or [version]
    assert minors[-1].endswith(version)


def test_nothing_is_printed_as_a_step_between_a_stack_and_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade("gpu", release_of("gpu"), {}, Run(target=None, only_plan=True)) == 0
    printed = capsys.readouterr().out
    assert "No step: nothing differs" in printed
    assert "everything else" not in printed


def test_warnings_of_the_new_release_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert upgrade("disaggregated-gpu", "llm-d-0.6", {}, Run(target=None, only_plan=True)) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "new warning LLMD-PD-RELEASE-WITHDRAWN llm-d:release = llm-d-0.6" in printed


def test_changes_hold_after_the_upgrade_only() -> None:
    plan = planned("gpu", "llm-d-0.9", "llm-d-0.10", {"llm-d:accelerator.nodes.max": "5"})
    assert plan.steps[0].changes == ("max nodes 3 -> 5",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("config:\n  llm-d:location: x  # here\n", "config:\n  llm-d:release: r\n  llm-d:location: x  # here\n"),
        ("# a\nconfig:\n  llm-d:release: old  # why\n  b: 1\n", "# a\nconfig:\n  llm-d:release: r  # why\n  b: 1\n"),
        ("config:\n  llm-d:release: r\n", "config:\n  llm-d:release: r\n"),
    ],
)
def test_the_release_is_written_and_every_other_line_stays(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(before)
    write_release(file, "r")
    assert file.read_text() == after
    assert parse_yaml(after)["config"]["llm-d:release"] == "r"


def test_a_file_in_another_style_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text("config: {a: 1}\n")
    with pytest.raises(UpgradeError, match="set llm-d:release: r under config yourself"):
        write_release(file, "r")
    assert file.read_text() == "config: {a: 1}\n"


def update(release: str | None, kind: str = "update", result: str = "succeeded") -> dict[str, Any]:
    config = {} if release is None else {"llm-d:release": {"value": release, "secret": False}}
    return {"kind": kind, "result": result, "config": config}


def test_the_release_before_is_the_latest_other_one_that_was_reached() -> None:
    history = [
        update("new"),
        update("failed", result="failed"),
        update("seen", kind="preview"),
        update("old"),
        update("older"),
    ]
    assert previous_release(history, "new") == "old"
    assert previous_release([update("new"), update(None)], "new") is None


def test_without_pulumi_a_rollback_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert llmd("rollback", "gpu", "--on", "gke") == FAILED
    assert capsys.readouterr().err.splitlines() == ["pulumi is not installed: https://www.pulumi.com/docs/install"]


def test_a_preview_that_does_not_exist_or_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert llmd("deletions", "gpu", str(tmp_path / "none.json")) == REFUSED
    assert "does not exist" in capsys.readouterr().err
    assert llmd("deletions", "gpu", str(tmp_path)) == REFUSED
    capsys.readouterr()
    for content in (b"", b"null", b"[]", b"no", b"\xff\xfe{}", b'{"steps": [3]}'):
        (tmp_path / "preview.json").write_bytes(content)
        assert llmd("deletions", "gpu", str(tmp_path / "preview.json")) == REFUSED, content
        assert "is not the output of" in " ".join(capsys.readouterr().err.split()), content


def test_a_preview_that_deletes_a_disk_is_refused_unless_acknowledged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "preview.json"
    file.write_text(json.dumps({"steps": [{"op": "delete", "urn": DISK, "oldState": {"inputs": {}}}]}))
    with pytest.raises(RefusedError, match="a disk with its data"):
        judge_preview("gpu", file, {})
    acknowledged = {"llm-d:acknowledge[1].id": "LLMD-PREFLIGHT-DELETES", "llm-d:acknowledge[1].reason": "copied"}
    assert judge_preview("gpu", file, acknowledged) == 0
    printed = capsys.readouterr().out
    assert "acknowledged: copied" in printed
    assert max(map(len, printed.splitlines())) <= 80
    file.write_text(json.dumps({"steps": []}))
    assert judge_preview("gpu", file, acknowledged) == 0
    printed = capsys.readouterr().out
    assert "(warning) LLMD-ACKNOWLEDGE-UNUSED" in printed
    assert "no data is deleted" in printed


def test_a_preview_without_losses_is_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "preview.json"
    document = json.dumps({"steps": [{"op": "update", "urn": DISK, "oldState": {}}]}, indent=2)
    file.write_text(f"warning: a newer version of Pulumi exists\n{document}\n")
    assert judge_preview("gpu", file, {}) == 0
    assert "1 steps: no kind" in capsys.readouterr().out
    file.write_text("Previewing update\n")
    with pytest.raises(UpgradeError, match="not the output of"):
        judge_preview("gpu", file, {})
