"""docs/adr: every decision record has the template's shape and a row in the index."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "adr"
TEMPLATE = FOLDER / "0000-template.md"
RECORDS = sorted(path for path in FOLDER.glob("[0-9]*.md") if path != TEMPLATE)


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


def field(text: str, name: str) -> str:
    (value,) = re.findall(rf"^- {name}: (.+)$", text, re.MULTILINE)
    return str(value)


def title(text: str) -> str:
    (value,) = re.findall(r"^# \d{4}\. (.+)$", text, re.MULTILINE)
    return str(value)


def test_numbers_have_no_gap() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_record_has_the_shape_of_the_template(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]}. ")
    assert headings(text) == headings(TEMPLATE.read_text(encoding="utf-8"))
    assert re.fullmatch(r"proposed|accepted|superseded by \[ADR \d{4}\]\(\d{4}-[a-z0-9-]+\.md\)", field(text, "Status"))
    assert datetime.date.fromisoformat(field(text, "Date"))
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:])


def test_the_index_lists_every_record() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \| (\S+) \| (.+) \|$", index, re.MULTILINE)
    texts = {path: path.read_text(encoding="utf-8") for path in RECORDS}
    assert rows == [
        (path.name[:4], path.name, title(text), field(text, "Date"), field(text, "Status"))
        for path, text in texts.items()
    ]
