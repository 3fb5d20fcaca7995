"""The schemas of the catalog's files accept the files, and refuse what loading refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml

from llm_d_gke.catalog.loading import FOLDER
from llm_d_gke.maintenance.reference.catalog_schemas import schemas

# Written by `make adopt`.
GENERATED = {"upstream"}
FILES = sorted({path.stem for path in FOLDER.glob("*.yaml")} - GENERATED)


def written(name: str) -> Any:
    """A file as an editor sees it: dates are text."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    return _as_json(yaml.load(text, Loader=_Text))  # noqa: S506 (a safe loader)


def _as_json(node: Any) -> Any:
    """Keys are text in JSON."""
    if isinstance(node, dict):
        return {str(key): _as_json(value) for key, value in node.items()}
    return [_as_json(item) for item in node] if isinstance(node, list) else node


class _Text(yaml.SafeLoader):
    """Leaves dates as text, as JSON does."""


_Text.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def errors(name: str, document: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(schemas()[name])
    return [error.json_path for error in validator.iter_errors(document)]


def test_every_file_has_a_schema() -> None:
    assert sorted(schemas()) == FILES


@pytest.mark.parametrize("name", FILES)
def test_editors_find_the_schema(name: str) -> None:
    first = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema=schemas/{name}.schema.json"


@pytest.mark.parametrize("name", FILES)
def test_a_file_satisfies_its_schema(name: str) -> None:
    assert errors(name, written(name)) == []


def _first(tree: dict[str, Any]) -> dict[str, Any]:
    return next(entry for key, entry in tree.items() if key not in ("date", "sources"))


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        ("accelerators", lambda tree: tree["accelerators"]["nvidia-l4"].pop("interconnect")),
        ("accelerators", lambda tree: tree["accelerators"]["nvidia-l4"].update(interconect="pcie")),
        ("accelerators", lambda tree: tree["accelerators"]["nvidia-l4"].update(zones=["us-central1-a"])),
        ("engine", lambda tree: tree.pop("bands")),
        ("machines", lambda tree: tree["families"]["g2"].pop("boot_disk")),
        ("machines", lambda tree: tree["families"]["g2"]["machines"].update({"g2-standard-4": [4]})),
        ("models", lambda tree: tree["models"]["google/gemma-2b-it"].update(kv_head=1)),
        ("models", lambda tree: tree["models"]["google/gemma-2b-it"].update(layers="many")),
        ("pickers", lambda tree: _first(tree).pop("plugins")),
        ("prices", lambda tree: tree["items"]["cluster"].pop("unit")),
        ("quotas", lambda tree: tree["accelerators"]["nvidia-l4"].pop("standard")),
        ("releases", lambda tree: _first(tree).pop("picker")),
    ],
)
def test_a_mistake_is_found(name: str, break_it: Callable[[Any], object]) -> None:
    document = copy.deepcopy(written(name))
    break_it(document)
    assert errors(name, document)


def test_every_row_can_be_reviewed() -> None:
    """A changed value is a changed line of reasonable length."""
    long = [
        f"{name}.yaml:{number}"
        for name in FILES
        for number, line in enumerate((FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 140 and "@sha256:" not in line
    ]
    assert not long
