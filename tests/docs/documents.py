"""The documents, and the commands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from llm_d_gke.stackfile import PROJECT_ROOT

ROOT_DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "AGENTS.md")
DOCUMENTS = [*(PROJECT_ROOT / name for name in ROOT_DOCUMENTS), *sorted((PROJECT_ROOT / "docs").rglob("*.md"))]


def commands_in(document: Path, language: str) -> Iterator[str]:
    """The lines of a document's blocks of code in a language."""
    for block in re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
        yield from (line.strip() for line in block.splitlines() if line.strip())
