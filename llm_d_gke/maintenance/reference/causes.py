"""docs/causes.md: what `diagnose` recognizes."""

from __future__ import annotations

from pathlib import Path

from llm_d_gke.cli.markdown import row
from llm_d_gke.operations.diagnose.messages import messages, states
from llm_d_gke.operations.templates import render
from llm_d_gke.stackfile import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "causes.md"


def page() -> str:
    """All messages as Markdown, by where they are read."""
    template = Path(__file__).with_name("causes.md.jinja")
    return render(template, messages=messages(), states=states(), row=row) + "\n"
