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


def layers_of(name: str) -> list[grimp.Layer]:
    """Layers of the contract whose name starts with `name`, the highest first."""
    [contract] = [contract for contract in CONFIG["contracts"] if contract["name"].startswith(name)]
    return [grimp.Layer(*line.split(" | "), independent=True) for line in contract["layers"]]


def test_the_contracts_hold() -> None:
    lint = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    run = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]


def test_the_contracts_cover_every_package() -> None:
    packages = {path.parent.name for path in (ROOT / CONFIG["root_package"]).glob("*/__init__.py")}
    assert {name for layer in layers_of("The package") for name in layer.module_tails} == packages


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("llm_d_gke.settings.stack", "llm_d_gke.planning.context"),
        ("llm_d_gke.catalog.schema", "llm_d_gke.settings.stack"),
        ("llm_d_gke.planning.planner", "llm_d_gke.components.stack"),
        ("llm_d_gke.components.stack", "llm_d_gke.rehearsal.engine"),
        ("llm_d_gke.stackfile.config", "llm_d_gke.rehearsal.engine"),
        ("llm_d_gke.rehearsal.engine", "llm_d_gke.maintenance.measure"),
    ],
)
def test_an_import_that_points_up_is_found(importer: str, imported: str) -> None:
    graph = grimp.build_graph(CONFIG["root_package"], cache_dir=None)
    layers = layers_of("The package")
    assert not graph.find_illegal_dependencies_for_layers(layers, containers={CONFIG["root_package"]})
    graph.add_import(importer=importer, imported=imported)
    assert graph.find_illegal_dependencies_for_layers(layers, containers={CONFIG["root_package"]})
