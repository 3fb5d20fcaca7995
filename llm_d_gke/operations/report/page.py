"""A stack's report as one HTML page: no script, nothing fetched, light and dark, phone and desktop."""

from __future__ import annotations

from pathlib import Path

from llm_d_gke.operations.report import charts, formatting
from llm_d_gke.operations.report.facts import WHENS, StackFacts
from llm_d_gke.operations.report.topology import topology
from llm_d_gke.operations.templates import render

# Cards beside each other in the drawing of wide windows.
_COLUMNS = 3


def page(facts: StackFacts) -> str:
    """The whole document. All values of a stack file are escaped: names and findings are text, never markup."""
    plan = facts.plan
    drawings = {} if plan is None else {"wide": topology(plan, _COLUMNS), "narrow": topology(plan, 1)}
    return render(
        Path(__file__).with_name("page.html.jinja"),
        facts=facts,
        plan=plan,
        drawings=drawings,
        charts=charts,
        formatting=formatting,
        whens=WHENS,
    )
