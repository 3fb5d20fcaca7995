"""The Markdown report, and the commands that write reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from operations.report.__main__ import main
from operations.report.markdown import markdown
from operations.report.read import read
from stackfile import PROJECT_ROOT


def report(stack: str, **changes: str) -> str:
    return markdown(read(PROJECT_ROOT, stack, {f"llm-d:{key}": value for key, value in changes.items()}))


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
    for part in (
        "### google/gemma-2b-it",
        "Fits with 1.7 GiB to spare",
        "| KV cache | 5.86 GiB |",
        "| **an hour** | $0.88 |",
    ):
        assert part in text
    for part in ("## Findings", "`llm-d:gateway.tls.kind = none`", "for a million requests", "spot $0.60"):
        assert part in text


def test_a_refused_stack_says_so_first() -> None:
    text = report("gpu", paused="perhaps")
    assert text.splitlines()[2].startswith("**Refused**")
    assert "`llm-d:paused = perhaps`" in text


def test_the_ending_chooses_what_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for ending, begins in ((".html", "<!doctype html>"), (".md", "# Stack `gpu`"), (".json", "{")):
        out = tmp_path / "new" / f"report{ending}"
        assert main(["gpu", "--out", str(out)]) == 0
        assert out.read_text(encoding="utf-8").startswith(begins)
    assert json.loads(out.read_text(encoding="utf-8"))["stack"] == "gpu"
    assert main(["gpu"]) == 0
    assert "341,376 KV tokens" in capsys.readouterr().out


def test_an_unknown_stack_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cpu"]) == 2
    assert "Stacks here: " in capsys.readouterr().err


def test_an_ending_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["gpu", "--out", "report.pdf"])
    assert "one of .html, .md, .json" in capsys.readouterr().err
