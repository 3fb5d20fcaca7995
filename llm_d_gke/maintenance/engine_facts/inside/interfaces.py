"""Which interfaces the classes of an engine's models declare, read in its sources: importing a class takes a GPU."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .modules import package_folder

# By feature of a deployment. vLLM ends where a model of a deployment that uses it lacks the interface.
_INTERFACES = {"adapters": "SupportsLoRA", "eagle3": "SupportsEagle3", "pipeline": "SupportsPP"}
# Declared by models with recurrent states, of whatever kind.
_STATES = ("IsHybrid", "HasInnerState")
# Names that versions gave the list of model types that an EAGLE-3 head may be for.
_EAGLE3_LISTS = ("eagle3_target_supported", "aux_hidden_states_supported")

Classes = Mapping[str, list[tuple[str, ...]]]


def lacking_interfaces(_: Mapping[str, Any]) -> Any:
    return lacking(package_folder())


def recurrent_architectures(_: Mapping[str, Any]) -> Any:
    return recurrent(package_folder())


def eagle3_model_types(_: Mapping[str, Any]) -> Any:
    return model_types(package_folder())


def lacking(package: Path) -> dict[str, list[str]]:
    """Architectures without the interface, by feature. One whose class is not found is not listed."""
    classes = _classes(package)
    lists: dict[str, list[str]] = {feature: [] for feature in _INTERFACES}
    for architecture, name in _registry(package).items():
        if name not in classes:
            continue
        declared = set(_ancestors(name, classes))
        for feature, interface in _INTERFACES.items():
            if interface not in declared:
                lists[feature].append(architecture)
    return {feature: sorted(names) for feature, names in lists.items()}


def recurrent(package: Path) -> list[str]:
    """Architectures whose layers, or some of them, keep recurrent states."""
    classes = _classes(package)
    return sorted(
        architecture
        for architecture, name in _registry(package).items()
        if not {*_ancestors(name, classes)}.isdisjoint(_STATES)
    )


def model_types(package: Path) -> list[str]:
    """Parts of model types that an EAGLE-3 head may be for; empty where the version has no such list."""
    tree = ast.parse((package / "config" / "speculative.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") in _EAGLE3_LISTS for target in node.targets):
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def _registry(package: Path) -> dict[str, str]:
    """Class names by architecture, of the registry's tables {architecture: (module, class)}."""
    tree = ast.parse((package / "model_executor" / "models" / "registry.py").read_text(encoding="utf-8"))
    class_names: dict[str, str] = {}
    for node in tree.body:
        table = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(table, ast.Dict):
            for key, entry in zip(table.keys, table.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(entry, ast.Tuple):
                    *_, name = entry.elts
                    if isinstance(name, ast.Constant):
                        class_names[str(key.value)] = str(name.value)
    return class_names


def _classes(package: Path) -> dict[str, list[tuple[str, ...]]]:
    """Bases of every class of a model. A name that several modules define has an entry for each."""
    classes: dict[str, list[tuple[str, ...]]] = {}
    for folder in (package / "model_executor" / "models", package / "models"):
        for file in sorted(folder.rglob("*.py")):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                # models/config.py has a class of an architecture's name for each that adjusts its configuration.
                if isinstance(node, ast.ClassDef) and file.name != "config.py":
                    classes.setdefault(node.name, []).append(tuple(filter(None, map(_name, node.bases))))
    return classes


def _name(base: ast.expr) -> str:
    base = base.value if isinstance(base, ast.Subscript) else base
    return getattr(base, "attr", getattr(base, "id", ""))


def _ancestors(name: str, classes: Classes, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    for bases in classes.get(name, []):
        for base in bases:
            if base not in seen:
                yield base
                yield from _ancestors(base, classes, seen | {base})
