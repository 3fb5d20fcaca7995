"""Results of runs, as YAML files beside this module. docs/conformance.md shows them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.catalog.reading import read_yaml


def read(file: Path) -> Any:
    """The stored results; None before the first run."""
    return read_yaml(file) if file.exists() else None


def write(file: Path, title: str, results: Any) -> None:
    """Replace the stored results. `title` is their first line: what they are."""
    head = f"# {title} Written by a run, not by hand: CONTRIBUTING.md, Generated pages.\n"
    file.write_text(head + yaml.safe_dump(results, sort_keys=False, width=116), encoding="utf-8")


def today() -> datetime.date:
    """The day of a run, in UTC."""
    return datetime.datetime.now(datetime.UTC).date()
