"""docs/findings.md, the rules behind findings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from llm_d_gke.operations.templates import render
from llm_d_gke.planning.rules import SUBJECTS, load_subject
from llm_d_gke.stackfile import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "findings.md"
_FOLDERS = ("llm_d_gke/settings", "llm_d_gke/planning", "llm_d_gke/operations/preflight")


def page() -> str:
    """All rules as Markdown, by subject."""
    template = Path(__file__).with_name("findings.md.jinja")
    return render(template, subjects=[load_subject(name) for name in SUBJECTS], where=_files_by_rule()) + "\n"


def _files_by_rule() -> Mapping[str, list[str]]:
    """Files of the program that contain the id of a rule."""
    files: dict[str, list[str]] = defaultdict(list)
    for path in sorted(path for folder in _FOLDERS for path in (PROJECT_ROOT / folder).rglob("*.py")):
        if path.parent.name != "rules":
            for identifier in sorted(set(re.findall(r"\"(LLMD-[A-Z0-9-]+)\"", path.read_text(encoding="utf-8")))):
                files[identifier].append(path.relative_to(PROJECT_ROOT).as_posix())
    return files
