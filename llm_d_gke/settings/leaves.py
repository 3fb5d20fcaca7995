"""Settings leaf by leaf, as users write them: path, value, and what a change of it replaces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from llm_d_gke.settings.base import REPLACES, Settings

HIDDEN = "(hidden)"
# An element of a list of groups with its key: llm-d:models[0].id
_ELEMENT = re.compile(r"(?P<list>[^\[\]]+)\[(?P<index>\d+)\]\.(?P<key>id|name)")


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One setting. `group` is the model it is a field of; `path` has the names of the stack file."""

    path: tuple[str | int, ...]
    value: object
    info: FieldInfo
    group: Settings
    name: str

    @property
    def display_text(self) -> str:
        """The value as text. A secret stays one."""
        return display_text(self.value)

    @property
    def is_default(self) -> bool:
        return bool(self.value == self.info.get_default(call_default_factory=True, validated_data={}))

    @property
    def replaces(self) -> tuple[str, ...]:
        """The resources that a change of the value replaces: `cluster`, `accelerator pool`."""
        extra: Any = self.info.json_schema_extra
        return tuple(extra.get(REPLACES, ())) if isinstance(extra, Mapping) else ()


def leaves(group: Settings, path: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    """Every leaf below a group, including defaults. Lists of groups are traversed; other lists are one leaf."""
    for name, info in type(group).model_fields.items():
        value, key_path = getattr(group, name), (*path, info.alias or name)
        if isinstance(value, Settings):
            yield from leaves(value, key_path)
        elif isinstance(value, tuple) and value and isinstance(value[0], Settings):
            for index, item in enumerate(value):
                yield from leaves(item, (*key_path, index))
        else:
            yield Leaf(path=key_path, value=value, info=info, group=group, name=name)


def aligned_paths(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """For each path of `before` the path of the same setting in `after`, where elements of its list have moved.

    Both map paths to values as text. Elements are the same by `id` or `name`, in lists in which each occurs once; two
    that have no counterpart are the same by their index. What is in `before` only keeps its path behind a `-`.
    """
    old, new = _elements(before), _elements(after)
    moved = {}
    for name, elements in old.items():
        others = {key: index for index, key in new.get(name, {}).items()}
        if len(others) != len(new.get(name, {})) or len({*elements.values()}) != len(elements):
            continue
        free = {index for key, index in others.items() if key not in elements.values()}
        for index, key in elements.items():
            place = f"{name}[{index}]"
            moved[place] = f"{name}[{others[key]}]" if key in others else place if index in free else f"-{place}"
    aligned = {}
    for path in before:
        place = path[: path.find("]") + 1]
        aligned[path] = moved.get(place, place) + path[len(place) :]
    return aligned


def _elements(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """By list of groups the key of each element by its index."""
    elements: dict[str, dict[str, str]] = {}
    for path, value in values.items():
        if match := _ELEMENT.fullmatch(path):
            elements.setdefault(match["list"], {})[match["index"]] = value
    return elements


def display_text(value: object) -> str:
    """Any setting's value as text, without secrets. A whole number reads the same as `3` and as `3.0`."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(display_text, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {display_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "(not set)"}[value]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
