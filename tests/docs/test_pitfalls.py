"""docs/pitfalls.md: every pitfall has its entry, and every test it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_d_gke.operations.diagnose.messages import messages, states
from tests.docs.test_named_things import names_in
from tests.planning.refusals.every import EVERY

ROOT = Path(__file__).resolve().parents[2]
PITFALLS = 197
KINDS = ("impossible", "refused", "warned", "reproduced")


def rows() -> list[tuple[int, str, list[str]]]:
    """Number, kind and named tests of each pitfall."""
    entries = []
    for entry in re.split(r"^### ", (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[
        1:
    ]:
        (kind,) = re.findall(r"^\*\*(\w+)\.\*\* ", entry, re.MULTILINE)
        entries.append((int(entry.split(".")[0]), kind.lower(), re.findall(r"^- `([^`]+)`$", entry, re.MULTILINE)))
    return entries


def test_every_pitfall_has_one_entry() -> None:
    assert [number for number, _, _ in rows()] == list(range(1, PITFALLS + 1))
    assert {kind for _, kind, _ in rows()} == set(KINDS)


@pytest.mark.parametrize(("number", "kind", "test_ids"), rows(), ids=lambda value: str(value)[:12])
def test_the_tests_of_an_entry_exist(number: int, kind: str, test_ids: list[str]) -> None:
    assert test_ids
    for name in test_ids:
        if name.startswith("["):
            assert name[1:-1] in {wrong.name for wrong in EVERY}, name
        else:
            path, *parts = name.split("[")[0].split("::")
            assert "::".join(parts) in names_in(ROOT / path), name
            if "[" in name:
                # A case of a table: its name is in the file literally.
                assert f'"{name.split("[")[1][:-1]}"' in (ROOT / path).read_text(encoding="utf-8"), name


def test_what_shows_at_run_time_names_its_causes() -> None:
    """In the order of the files, as `make diagnose` prints the number of the pitfall with the cause."""
    expected: dict[int, list[str]] = {}
    numbers = {name: message.pitfalls for name, message in messages().items()}
    for name, pitfalls in {**numbers, **{name: state.pitfalls for name, state in states().items()}}.items():
        for number in pitfalls:
            expected.setdefault(number, []).append(name)
    text = (ROOT / "docs" / "pitfalls.md").read_text(encoding="utf-8")
    named = {
        int(entry.split(".")[0]): re.findall(r"`([a-z0-9-]+)`", lines[0])
        for entry in re.split(r"^### ", text, flags=re.MULTILINE)[1:]
        if (lines := re.findall(r"`make diagnose` on a running stack: (.*?)\.\n\n", entry, re.DOTALL))
    }
    assert named == expected


def test_what_is_reproduced_is_shown_by_the_rehearsal() -> None:
    assert not [
        n for n, kind, tests in rows() if kind == "reproduced" and not any("tests/rehearsal/" in s for s in tests)
    ]
