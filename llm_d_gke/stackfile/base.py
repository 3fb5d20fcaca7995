"""Merges a stack's settings onto a base: `llm-d:base` names a file of the same form as a stack file.

Environments of one service differ in little. The base holds the common values, each stack file the rest.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from llm_d_gke.settings.fields import merge_keys
from llm_d_gke.settings.stack import StackSettings
from llm_d_gke.stackfile.document import parse
from llm_d_gke.stackfile.paths import StackFileError
from llm_d_gke.stackfile.project import NAMESPACE, full_key

BASE = "base"
# In a base, this key would stop every stack that uses the base.
_OWN = "paused"

Values = dict[str, Any]


@cache
def _list_keys() -> Mapping[tuple[str, ...], str]:
    return merge_keys(StackSettings)


@dataclasses.dataclass(frozen=True)
class Layer:
    """The settings of one file, by key without namespace. `name` is its path from the project, as a stack names it."""

    name: str
    path: Path
    values: Values


def with_base(values: Mapping[str, Any], root: Path, file: str) -> Values:
    """Settings by key without namespace, merged onto the base they name; without `base` itself.

    `file` is the name of the file that holds `values`, for messages.

    Maps are merged key by key, lists that are marked `merged_by` element by element, everything else is replaced. Null
    removes a value of the base from a map. A base may name a base in turn. Paths are relative to `root`, the project's
    folder.
    Raises StackFileError.
    """
    return merged_layers(layers(values, root, file))


def own_values(values: Mapping[str, Any], left_out: Collection[str] = ()) -> Values:
    """The settings of a stack file by itself, by full key: without its base and without keys that stand there twice.

    `left_out` has further names without namespace.
    """
    full = [full_key(key) for key in values]
    others = {full_key(key) for key in (BASE, *left_out)}
    own = zip(full, values.values(), strict=True)
    return {key: value for key, value in own if key not in others and full.count(key) == 1}


def merged_layers(files: Sequence[Layer]) -> Values:
    """What the files of a stack make together. Raises StackFileError where elements of two lists cannot be matched."""
    *others, last = files
    merged = last.values
    for layer in reversed(others):
        try:
            merged = _merged(merged, layer.values, ())
        except StackFileError as error:
            raise StackFileError(f"{layer.name}: {error}") from None
    return merged


def layers(values: Mapping[str, Any], root: Path, file: str) -> list[Layer]:
    """A stack's own settings, then those of its base, of the base's base, and so on. Raises StackFileError."""
    files = [Layer(file, root / file, copy.deepcopy(dict(values)))]
    label = file
    while (name := files[-1].values.pop(BASE, None)) is not None:
        path = _base_path(name, f"{label}: {NAMESPACE}:{BASE}", root)
        seen = [layer.path.resolve() for layer in files[1:]]
        if path in seen:
            circle = " -> ".join(base.name for base in (*seen[seen.index(path) :], path))
            raise StackFileError(
                f"{label}: {NAMESPACE}:{BASE} = {name}: is a base of itself: {circle}. Remove one of these references"
            )
        # A key without a value reaches the program as an empty text, which counts as unset.
        own = {key: value for key, value in files[-1].values.items() if value is not None}
        files[-1] = dataclasses.replace(files[-1], values=own)
        label = f"{name} (base of {label})"
        files.append(Layer(name, path, _read(path, label)))
    return files


def _base_path(name: Any, setting: str, root: Path) -> Path:
    """The file that a setting names as base. Raises StackFileError unless it is one in the project."""
    if not isinstance(name, str) or not name.strip():
        raise StackFileError(
            f"{setting} = {json.dumps(name, default=str)}: must be the path of one file in the project,"
            " for example environments/base.yaml. A base may name a base in turn"
        )
    path = (root / name).resolve()
    if Path(name).is_absolute():
        raise StackFileError(
            f"{setting} = {name}: is a path of this machine, which another checkout does not have. Name the"
            " file from the project's folder, for example environments/base.yaml"
        )
    if "://" in name:
        raise StackFileError(
            f"{setting} = {name}: is an address, and a base is a file of the project. Copy it there, and name"
            " its path, for example environments/base.yaml"
        )
    if not path.is_file():
        raise StackFileError(f"{setting} = {name}: there is no such file in the project: {_advice(path, name, root)}")
    return path


def _advice(path: Path, name: str, root: Path) -> str:
    """What to do about a base that is not there: use a file of a similar name, or make one."""
    folders = [folder for folder in {path.parent, root.resolve()} if folder.is_relative_to(root.resolve())]
    files = [str(file.relative_to(root.resolve())) for folder in folders for file in folder.glob("*.y*ml")]
    close = difflib.get_close_matches(name, [file for file in files if not file.startswith("Pulumi.")], n=1)
    return f"did you mean {close[0]}? Otherwise create it" if close else "create it, or correct the path"


def _read(path: Path, name: str) -> Values:
    """The settings of a base file, by key without namespace. `name` is what messages call it."""
    document = parse(path)
    config = document.get("config")
    if not isinstance(config, dict):
        raise StackFileError(f"{name}: a base holds config: and settings below it, like a stack file")
    stray = next((str(key) for key in document if str(key) != "config" and not str(key).startswith("x-")), None)
    if stray is not None:
        raise StackFileError(
            f"{name}: of a base only the settings below config: are read, and {stray} stands beside it. Move it below"
            " config: if it is a setting, else to the stack files"
        )
    values: Values = {}
    for key, value in config.items():
        namespace, colon, rest = str(key).partition(":")
        if colon and namespace != NAMESPACE:
            raise StackFileError(
                f"{name}: {key} is no setting of {NAMESPACE}, and Pulumi reads it from stack files only."
                " Move it to the stack files"
            )
        values[rest if colon else namespace] = value
    if _OWN in values:
        raise StackFileError(
            f"{name}: {NAMESPACE}:{_OWN} is the state of a single stack, and a base would give it to all."
            " Move it to the stack file"
        )
    encrypted = list(_encrypted(values, ""))
    if encrypted:
        raise StackFileError(
            f"{name}: {', '.join(encrypted)} is encrypted with the key of one stack, and the others cannot read it."
            f" Set it for each stack: pulumi config set --path --secret {NAMESPACE}:{encrypted[0]}"
        )
    return values


def _encrypted(value: Any, path: str) -> list[str]:
    if isinstance(value, dict):
        if set(value) == {"secure"}:
            return [path]
        return [
            encrypted_path
            for key, item in value.items()
            for encrypted_path in _encrypted(item, f"{path}.{key}" if path else str(key))
        ]
    if isinstance(value, list):
        return [
            encrypted_path
            for index, item in enumerate(value)
            for encrypted_path in _encrypted(item, f"{path}[{index}]")
        ]
    return []


def _merged(base: Any, own: Any, path: tuple[str, ...]) -> Any:
    if isinstance(base, dict) and isinstance(own, dict) and "secure" not in own:
        merged = {**base}
        for key, value in own.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = _merged(base[key], value, (*path, str(key))) if key in base else value
        return merged
    if isinstance(base, list) and isinstance(own, list) and path in _list_keys():
        return _merged_lists(base, own, path)
    return own


def element_key(path: tuple[str | int, ...], elements: Sequence[Any]) -> str | None:
    """The key by which elements of the list at this path are merged. None where they are not, or cannot be."""
    key = _list_keys().get(tuple(name for name in path if isinstance(name, str)))
    return key if key is not None and _identified(elements, key) else None


def _merged_lists(base: list[Any], own: list[Any], path: tuple[str, ...]) -> list[Any]:
    """The base's elements in their order, each with the stack's element of the same key; then the stack's others."""
    key = _list_keys()[path]
    where = ".".join(path)
    if not _identified(base, key):
        raise StackFileError(
            f"{NAMESPACE}:{where} of the base: elements are merged by {key}, and one has none, or two have the same."
            f" Give each a different {key}"
        )
    if not _identified(own, key):
        names = [element.get(key) for element in own if isinstance(element, dict)]
        twice = next((name for name in names if name is not None and names.count(name) > 1), None)
        if twice is None:
            return own  # validation of the settings reports the error
        raise StackFileError(
            f"{NAMESPACE}:{where}: elements are merged with the base's by {key}, and two have {twice}. Give each a"
            f" different {key}, or remove {NAMESPACE}:{BASE}"
        )
    changes = {element[key]: element for element in own}
    merged = [_merged(element, changes.pop(element[key], {}), path) for element in base]
    return [*merged, *changes.values()]


def _identified(elements: Sequence[Any], key: str) -> bool:
    """Whether every element is a map with the key, and all values of the key differ."""
    names = [element.get(key) for element in elements if isinstance(element, dict)]
    return len(names) == len(elements) == len({str(name) for name in names}) and all(isinstance(n, str) for n in names)
