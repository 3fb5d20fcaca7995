"""A stack's report as Markdown: for change requests and for people without a browser at hand."""

from __future__ import annotations

from pathlib import Path

from llm_d_gke.cli.markdown import row
from llm_d_gke.operations.report import formatting
from llm_d_gke.operations.report.facts import StackFacts
from llm_d_gke.operations.report.terminal import LEGEND, bar
from llm_d_gke.operations.templates import render
from llm_d_gke.wording import count


def markdown(facts: StackFacts) -> str:
    """The whole document."""
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
