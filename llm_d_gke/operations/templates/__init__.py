"""Texts that are mostly fixed, as Jinja templates beside the module that fills them in.

HTML pages extend `base.html.jinja` of this folder and draw by `drawing.html.jinja`, with the
shapes of `drawing`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape


def render(template: Path, **values: Any) -> str:
    """The text of a template, without line breaks at its end. In NAME.html.jinja every value is escaped."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=select_autoescape(("html.jinja",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(**values).rstrip("\n")
