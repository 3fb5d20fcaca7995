"""The comment on a pull request compares memory, capacity and dollars before and after a change."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.operations.report.compare import compare, compare_stacks, plan_all
from llm_d_gke.operations.report.load import load_facts
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.command_line import llmd


def facts(stack: str = "gpu", **changes: str) -> Mapping[str, Any]:
    """As another checkout would have written them."""
    overrides = {f"llm-d:{path}": value for path, value in changes.items()}
    loaded: Mapping[str, Any] = json.loads(json.dumps(load_facts(PROJECT_ROOT, stack, overrides).as_json()))
    return loaded


def memory_in(facts: Mapping[str, Any]) -> str:
    memory = facts["plan"]["models"][0]["servers"][0]["memory"]
    return f"{memory['status']}, {memory['margin_gib']:+.2f} GiB"


def changed(**changes: str) -> str:
    return compare({"gpu": facts()}, {"gpu": facts(**changes)})


def row(text: str, name: str) -> list[str]:
    (row_line,) = [line for line in text.splitlines() if line.startswith(f"| {name}")]
    return [cell.strip() for cell in row_line.strip("|").split("|")][1:]


def test_a_change_without_effect_is_one_line() -> None:
    assert compare({"gpu": facts()}, {"gpu": facts()}) == "## Verdict\n\nUnchanged: `gpu`.\n"


def test_more_replicas_cost_more_and_serve_more() -> None:
    text = changed(**{"models[0].replicas": "2"})
    assert "### `gpu`: accepted" in text
    assert row(text, "google/gemma-2b-it: replicas")[:2] == ["1 x (1 x T4)", "2 x (1 x T4)"]
    assert row(text, "USD a month, running") == ["$642.84", "$1,052", "+64%"]
    # Replicas that do not follow the load run without a request, too.
    assert row(text, "USD a month, idle") == ["$642.84", "$1,052", "+64%"]


def test_memory_that_becomes_scarce_is_seen() -> None:
    changes = {"models[0].gpuMemoryUtilization": "0.92"}
    text = changed(**changes)
    assert row(text, "google/gemma-2b-it: memory")[:2] == [memory_in(facts()), memory_in(facts(**changes))]
    assert memory_in(facts()).startswith("fits")
    assert memory_in(facts(**changes)).startswith("marginal")
    assert "### `gpu`: accepted → marginal" in text
    assert row(text, "google/gemma-2b-it: KV cache")[2].startswith("+")
    assert "**warning** `llm-d:models[0].gpuMemoryUtilization = 0.92`" in text


def test_a_change_that_is_refused_says_why() -> None:
    text = changed(**{"models[0].id": "Qwen/Qwen2.5-7B-Instruct"})
    assert "### `gpu`: accepted → refused" in text
    assert "New findings:" in text
    assert "**error** `llm-d:models[0].id = Qwen/Qwen2.5-7B-Instruct`" in text
    assert "Qwen/Qwen2.5-7B-Instruct: memory" in text


def test_a_stack_that_stays_refused_shows_every_error() -> None:
    refused = facts(paused="perhaps")
    text = compare({"gpu": refused}, {"gpu": refused})
    assert "### `gpu`: refused" in text
    (error,) = [finding for finding in refused["findings"] if finding["severity"] == "error"]
    (line,) = [line for line in text.splitlines() if "`llm-d:paused = perhaps`" in line]
    assert error["rule"] in line
    assert error["fix"] in line


def test_findings_that_are_fixed_are_gone() -> None:
    text = changed(**{"gateway.exposure": "internal"})
    assert "Gone:\n\n- **warning** `llm-d:gateway.tls.kind = none`" in text


def place_changed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts, with every finding 40 lines further down."""
    moved = [{**finding, "place": "Pulumi.gpu.yaml, line 41"} for finding in facts["findings"]]
    return {**facts, "findings": moved}


def acknowledged(facts: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    """The same facts, with every warning acknowledged, or none."""
    findings = [
        {**finding, "acknowledged": reason if finding["severity"] == "warning" else None}
        for finding in facts["findings"]
    ]
    return {**facts, "findings": findings}


def test_what_is_assumed_for_a_stack_is_no_setting_of_it() -> None:
    """A token is assumed for a gated model alone, and a change of model was shown as one of the token too."""
    settings = {setting["path"]: setting["value"] for setting in facts()["settings"]}
    assert settings["llm-d:huggingFace.token"] == "(not set)"
    open_model = json.dumps([{"id": "Qwen/Qwen2.5-1.5B-Instruct", "maxModelLen": 2048, "dtype": "half"}])
    text = changed(models=open_model)
    assert "`llm-d:models[0].id`" in text
    assert "token`" not in text


def test_a_comment_in_the_stack_file_changes_nothing() -> None:
    assert facts()["findings"]
    assert compare({"gpu": facts()}, {"gpu": place_changed(facts())}) == "## Verdict\n\nUnchanged: `gpu`.\n"


def test_another_reason_of_an_acknowledgment_changes_nothing() -> None:
    before, after = acknowledged(facts(), "a test"), acknowledged(facts(), "a demonstration")
    assert compare({"gpu": before}, {"gpu": after}) == "## Verdict\n\nUnchanged: `gpu`.\n"


def test_what_is_acknowledged_now_is_listed_once() -> None:
    open_side, closed = acknowledged(facts(), None), acknowledged(facts(), "a test")
    warnings = sum(finding["severity"] == "warning" for finding in facts()["findings"])
    text = compare({"gpu": open_side}, {"gpu": closed})
    assert "Acknowledged now:\n\n- **acknowledged** " in text
    assert text.count("Acknowledged: a test") == text.count("\n- ") == warnings
    back = compare({"gpu": closed}, {"gpu": open_side})
    assert "No longer acknowledged:\n\n- **warning** " in back
    assert back.count("\n- ") == warnings


def test_a_finding_shows_its_id_and_whether_it_is_acknowledged() -> None:
    text = compare({}, {"gpu": acknowledged(facts(), "a test")})
    for finding in facts()["findings"]:
        state = "acknowledged" if finding["severity"] == "warning" else "error"
        assert f"- **{state}** `{finding['path']} = {finding['value']}` ({finding['id']}): " in text


def test_findings_of_programs_that_wrote_neither_id_nor_reason_are_the_same_ones() -> None:
    names = ("severity", "path", "value", "rule", "fix")
    older = {**facts(), "findings": [{name: finding[name] for name in names} for finding in facts()["findings"]]}
    assert "New findings" not in compare({"gpu": older}, {"gpu": acknowledged(facts(), None)})


def test_a_number_is_the_same_with_and_without_a_point() -> None:
    path = "picker.scorers.queue"
    (default,) = [setting["value"] for setting in facts()["settings"] if setting["path"] == f"llm-d:{path}"]
    assert changed(**{path: f"{default}.0"}) == "## Verdict\n\nUnchanged: `gpu`.\n"
    assert f"`llm-d:{path}`: `{default}` → `3.5`" in changed(**{path: "3.5"})


def test_a_list_without_elements_is_no_setting_of_its_own() -> None:
    (reason,) = [setting["value"] for setting in facts()["settings"] if setting["path"].endswith("[0].reason")]
    lines = changed(acknowledge="[]").partition("Changed settings:")[2].splitlines()
    assert [line for line in lines if "llm-d:acknowledge" in line] == [
        "- `llm-d:acknowledge[0].id`: `LLMD-GATEWAY-OPEN` → (none)",
        f"- `llm-d:acknowledge[0].reason`: `{reason}` → (none)",
    ]


def test_an_element_that_moved_in_its_list_is_the_same_one() -> None:
    first = {"acknowledge": "[{id: LLMD-TLS-NONE, reason: a trial}, {id: LLMD-GATEWAY-OPEN, reason: mine}]"}
    (reason,) = [setting["value"] for setting in facts()["settings"] if setting["path"].endswith("[0].reason")]
    lines = changed(**first).partition("Changed settings:")[2].splitlines()
    assert [line for line in lines if "llm-d:acknowledge" in line] == [
        "- `llm-d:acknowledge[0].id`: (none) → `LLMD-TLS-NONE`",
        "- `llm-d:acknowledge[0].reason`: (none) → `a trial`",
        f"- `llm-d:acknowledge[1].reason`: `{reason}` → `mine`",
    ]


def test_of_a_new_group_its_defaults_are_left_out() -> None:
    lines = changed(**{"budget.maxMonthlyUsd": "5000"}).partition("Changed settings:")[2].splitlines()
    assert [line for line in lines if "llm-d:budget" in line] == ["- `llm-d:budget.maxMonthlyUsd`: (none) → `5000`"]


def test_a_new_stack_shows_all_its_figures() -> None:
    text = compare({}, {"gpu": facts()})
    assert "### `gpu`: new, accepted" in text
    assert row(text, "USD a month, idle")[:2] == ["-", "$642.84"]


def test_a_removed_stack_is_said_to_go_on() -> None:
    text = compare({"gpu": facts()}, {})
    assert "### `gpu`: removed" in text
    assert "A merge destroys nothing: where this stack is up, it goes on and costs $642.84 a month" in text


def test_larger_pools_cost_more_at_most() -> None:
    text = changed(**{"accelerator.nodes.max": "300"})
    before, after, more = row(text, "USD a month, every pool at its largest")[:3]
    assert (before, after[0], more[0]) == ("$1,667", "$", "+")
    assert "USD a month, running" not in text


def test_many_changed_stacks_fit_into_one_comment_with_the_refused_ones_whole() -> None:
    accepted, refused = facts(), facts(paused="perhaps")
    text = compare({}, {f"stack-{number}": accepted for number in range(99)} | {"wrong": refused})
    assert 50_000 < len(text) < 65_536
    assert text.count("### `stack-") == 99
    assert "Stacks with a heading alone" in text
    assert (
        text.index("### `wrong`: new, refused") < text.index("`llm-d:paused = perhaps`") < text.index("### `stack-0`")
    )


def test_findings_name_file_and_line() -> None:
    assert "cross the internet unencrypted (Pulumi.gpu.yaml, line 13)<br>" in compare({}, {"gpu": facts()})


def test_a_folder_that_is_no_checkout_removes_no_stack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("compare", str(PROJECT_ROOT), str(tmp_path)) == 2
    assert "is no checkout of this project" in " ".join(capsys.readouterr().err.split())


def test_a_file_that_cannot_be_read_is_a_refused_stack(tmp_path: Path) -> None:
    shutil.copytree(PROJECT_ROOT / "llm_d_gke", tmp_path / "llm_d_gke", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Pulumi.yaml", "Pulumi.gpu.yaml"):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    (tmp_path / "Pulumi.broken.yaml").write_text("config:\n  llm-d:models: [\n", encoding="utf-8")
    text = compare({}, plan_all(tmp_path))
    assert "### `broken`: refused\n\n```text\n" in text
    assert "Pulumi.broken.yaml is not valid YAML: line 2" in text
    assert "### `gpu`: new, accepted" in text


def test_settings_that_make_no_plan_are_compared_by_their_findings() -> None:
    assert "accepted → refused" in changed(paused="perhaps")


def test_an_older_program_may_know_less() -> None:
    older = json.loads(json.dumps(facts()))
    for model in older["plan"]["models"]:
        del model["capacity"]
        for server in model["servers"]:
            server["memory"] = None
    text = compare({"gpu": older}, {"gpu": facts()})
    assert row(text, "google/gemma-2b-it: memory")[:2] == ["-", memory_in(facts())]


def test_two_checkouts_are_compared_each_by_its_own_program(tmp_path: Path) -> None:
    """The older one here is empty, as before the first report was ever written."""
    done = subprocess.run(
        [sys.executable, "-m", "llm_d_gke", "compare", str(tmp_path), str(PROJECT_ROOT)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("new, accepted") >= 6
    assert "### `multi-model-gpu`: new, accepted" in done.stdout


def test_a_setting_replaces_resources_of_its_own_stack_only() -> None:
    before, after = facts(), facts(project="another-project")
    replaced = "**replaces network, subnet, address, cluster, accelerator pool, CPU pool**"
    assert f"→ `another-project` {replaced}" in compare({"gpu": before}, {"gpu": after})
    [line] = [line for line in compare_stacks("gpu → live", before, {**after, "stack": "live"}) if "project" in line]
    assert line.endswith("→ `another-project`")
