"""CHANGELOG.md has the shape of Keep a Changelog, and its newest version is the project's."""

from __future__ import annotations

import datetime
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def versions() -> list[tuple[str, datetime.date]]:
    """Published versions with their dates, newest first."""
    headings = re.findall(r"^## (\d+\.\d+\.\d+) - (\S+)$", CHANGELOG, re.MULTILINE)
    return [(version, datetime.date.fromisoformat(date)) for version, date in headings]


def test_unreleased_changes_come_first_and_every_other_heading_is_a_version() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1:] == [f"{version} - {date}" for version, date in versions()]


def test_versions_and_dates_descend() -> None:
    numbers = [tuple(map(int, version.split("."))) for version, _ in versions()]
    assert numbers == sorted(set(numbers), reverse=True)
    dates = [date for _, date in versions()]
    assert dates == sorted(dates, reverse=True)


def test_changes_are_of_the_known_kinds() -> None:
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= CHANGES


def test_the_newest_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert versions()[0][0] == project["version"]
