"""Writes the release into a stack file, and leaves every other line as it is."""

from __future__ import annotations

from pathlib import Path

import yaml

from llm_d_gke.operations.upgrades.errors import UpgradeError

_KEY = "llm-d:release"


def write_release(file: Path, release: str) -> None:
    """Set `llm-d:release` in a stack file. Comments and order stay. Raises UpgradeError where there is no `config:`."""
    text = file.read_text(encoding="utf-8")
    changed = "".join(_lines(text.splitlines(keepends=True), release))
    if (yaml.safe_load(changed).get("config") or {}).get(_KEY) != release:
        raise UpgradeError(f"{file.name} is not written in block style: set {_KEY}: {release} under config yourself")
    if changed != text:
        file.write_text(changed, encoding="utf-8")


def _lines(lines: list[str], release: str) -> list[str]:
    for number, line in enumerate(lines):
        start = line.lstrip()
        if start.startswith(f"{_KEY}:"):
            comment = f"  #{line.partition('#')[2].rstrip()}" if "#" in line else ""
            return [
                *lines[:number],
                f"{line[: len(line) - len(start)]}{_KEY}: {release}{comment}\n",
                *lines[number + 1 :],
            ]
    for number, line in enumerate(lines):
        if line.rstrip() == "config:":
            return [*lines[: number + 1], f"  {_KEY}: {release}\n", *lines[number + 1 :]]
    return lines
