"""Imports point one way: the contracts in pyproject.toml hold, cover every package, and find a wrong import."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
# Nothing imports tests. The policy pack and the bootstrap are programs of their own.
NOT_PACKAGES = {"tests", "policy", "bootstrap"}


def layers_of(name: str) -> list[grimp.Layer]:
    """Layers of the contract whose name starts with `name`, the highest first."""
    [contract] = [contract for contract in CONFIG["contracts"] if contract["name"].startswith(name)]
    return [grimp.Layer(*line.split(" | "), independent=True) for line in contract["layers"]]


def test_the_contracts_hold() -> None:
    lint = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    run = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]


def test_the_contracts_cover_every_package() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_PACKAGES
    assert set(CONFIG["root_packages"]) == packages


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("settings.stack", "planning.context"),
        ("catalog.schema", "settings.stack"),
        ("planning.planner", "components.stack"),
        ("components.stack", "rehearsal.engine"),
        ("stackfile.config", "rehearsal.engine"),
        ("rehearsal.engine", "operations.measure"),
    ],
)
def test_an_import_that_points_up_is_found(importer: str, imported: str) -> None:
    graph = grimp.build_graph(*CONFIG["root_packages"], cache_dir=None)
    layers = layers_of("The repository")
    assert not graph.find_illegal_dependencies_for_layers(layers)
    graph.add_import(importer=importer, imported=imported)
    assert graph.find_illegal_dependencies_for_layers(layers)
