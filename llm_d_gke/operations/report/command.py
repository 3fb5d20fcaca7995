"""Implements the commands `report` and `compare`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from llm_d_gke.cli.exits import DONE, REFUSED, RefusedInputError
from llm_d_gke.cli.markdown import row
from llm_d_gke.operations.report import formatting
from llm_d_gke.operations.report.compare import compare, plan_all
from llm_d_gke.operations.report.facts import StackFacts
from llm_d_gke.operations.report.load import load_facts
from llm_d_gke.operations.report.page import page
from llm_d_gke.operations.report.terminal import LEGEND, bar, report_text
from llm_d_gke.operations.templates import render
from llm_d_gke.stackfile import PROJECT_ROOT
from llm_d_gke.wording import count


def as_json(facts: StackFacts) -> str:
    return json.dumps(facts.as_json(), indent=1, ensure_ascii=False) + "\n"


def markdown(facts: StackFacts) -> str:
    """The report for change requests and for people without a browser at hand."""
    text = render(
        Path(__file__).with_name("report.md.jinja"),
        facts=facts,
        plan=facts.plan,
        formatting=formatting,
        bar=bar,
        legend=LEGEND,
        row=row,
        count=count,
        sentence=lambda text: f"{text[0].upper()}{text[1:]}.",
    )
    return f"{text}\n"


_WRITERS: Mapping[str, Callable[[StackFacts], str]] = {".html": page, ".md": markdown, ".json": as_json}


def write_report(stack: str, changes: Mapping[str, str], out: Path | None) -> int:
    """Print the report, or write it as .html, .md or .json by the suffix of `out`. Return the exit status."""
    facts = load_facts(PROJECT_ROOT, stack, changes)
    if out is None:
        print(report_text(facts))
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(_WRITERS[out.suffix](facts), encoding="utf-8")
        print(out)
    return REFUSED if facts.refused else DONE


def write_comparison(before: Path, after: Path, out: Path | None) -> int:
    """Print or write how the verdicts on all stacks differ between two checkouts. Return the exit status."""
    if not (after / "llm_d_gke" / "__main__.py").exists():
        raise RefusedInputError(f"{after} is no checkout of this project: it has no llm_d_gke/__main__.py")
    results = plan_all(after)
    text = compare(plan_all(before), results)
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")
    return REFUSED if any(facts.get("refused") for facts in results.values()) else DONE
