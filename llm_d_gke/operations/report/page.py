"""A stack's report as one HTML page: no script, nothing fetched, light and dark, phone and desktop."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from llm_d_gke.operations.report import charts, formatting
from llm_d_gke.operations.report.facts import WHENS, StackFacts
from llm_d_gke.operations.report.topology import topology

_FOLDER = Path(__file__).parent

# Cards beside each other in the drawing of wide windows.
_COLUMNS = 3


def page(facts: StackFacts) -> str:
    """The whole document. All values of a stack file are escaped: names and findings are text, never markup."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    plan = facts.plan
    drawings = {} if plan is None else {"wide": topology(plan, _COLUMNS), "narrow": topology(plan, 1)}
    return environment.get_template("page.html.jinja").render(
        facts=facts,
        plan=plan,
        drawings=drawings,
        charts=charts,
        formatting=formatting,
        whens=WHENS,
    )
