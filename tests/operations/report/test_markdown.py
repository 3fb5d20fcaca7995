"""The Markdown report, and the commands that write reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_d_gke.operations.report.command import markdown
from llm_d_gke.operations.report.load import load_facts
from llm_d_gke.planning.plan.estimates import MemoryVerdict
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.command_line import llmd
from tests.stacks import plan_of


def report(stack: str, **changes: str) -> str:
    return markdown(load_facts(PROJECT_ROOT, stack, {f"llm-d:{key}": value for key, value in changes.items()}))


def memory_of(stack: str) -> MemoryVerdict:
    memory = plan_of(stack).models[0].servers[0].memory
    assert memory is not None
    return memory


def test_replicas_that_follow_the_load_cost_a_range() -> None:
    plan = plan_of("autoscaled-gpu")
    assert plan.cost.scaled_down is not None
    text = report("autoscaled-gpu")
    low, high = plan.cost.scaled_down, plan.cost.total("running")
    assert low.usd < high.usd
    assert f"Replicas follow the load: ${low.usd:.2f} to ${high.usd:.2f} an hour" in text
    assert "1 to 3 replicas on" in text
    assert "follow the load" not in report("gpu")


@pytest.mark.parametrize("stack", ["gpu", "multi-model-tpu"])
def test_tables_have_as_many_cells_in_every_row(stack: str) -> None:
    rows: list[int] = []
    for line in report(stack).splitlines():
        if line.startswith("|"):
            rows.append(line.replace("\\|", "").count("|"))
        else:
            assert len(set(rows)) <= 1, line
            rows = []


def test_it_holds_what_the_page_holds() -> None:
    text = report("gpu")
    memory = memory_of("gpu")
    for part in (
        "### google/gemma-2b-it",
        f"Fits with {memory.margin_gib:.1f} GiB to spare",
        f"| KV cache | {memory.available_gib:.2f} GiB |",
        "| **an hour** | $0.88 |",
    ):
        assert part in text
    for part in ("## Findings", "`llm-d:gateway.tls.kind = none`", "per million requests $", "spot $0.60"):
        assert part in text


def test_a_refused_stack_says_so_first() -> None:
    text = report("gpu", paused="perhaps")
    assert text.splitlines()[2].startswith("**Refused**")
    assert "`llm-d:paused = perhaps`" in text


def test_the_ending_chooses_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for ending, begins in ((".html", "<!doctype html>"), (".md", "# Stack `gpu`"), (".json", "{")):
        out = tmp_path / "new" / f"report{ending}"
        assert llmd("report", "gpu", "--out", str(out)) == 0
        assert out.read_text(encoding="utf-8").startswith(begins)
    assert json.loads(out.read_text(encoding="utf-8"))["stack"] == "gpu"
    assert llmd("report", "gpu") == 0
    assert f"{memory_of('gpu').kv_tokens:,} KV tokens" in capsys.readouterr().out


def test_an_unknown_stack_names_those_that_may_be_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("report", "cpu") == 2
    assert "Did you mean tpu or gpu?" in " ".join(capsys.readouterr().err.split())
    assert llmd("report", "quite-another") == 2
    assert "Stacks:" in capsys.readouterr().err


def test_an_ending_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert llmd("report", "gpu", "--out", "report.pdf") == 2
    assert "one of .html, .md, .json" in " ".join(capsys.readouterr().err.replace("│", " ").split())
