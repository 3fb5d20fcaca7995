"""Pulumi's path syntax for one value of a configuration: `llm-d:models[0].maxModelLen`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llm_d_gke.nested import value_at
from llm_d_gke.stackfile.project import full_key

if TYPE_CHECKING:
    from llm_d_gke.stackfile.config import StackConfig


class StackFileError(Exception):
    """A stack file, Pulumi.yaml or an override cannot be read. The message names the place and the correction.

    `own` has the values of the stack file by itself, if these could be read: its base, for example, could not.
    """

    own: StackConfig | None = None


def segments(path: str) -> list[str | int]:
    """Split a path: `llm-d:models[0].maxModelLen` becomes `["llm-d:models", 0, "maxModelLen"]`.

    A key without a namespace is the project's, as on Pulumi's command line. Raises StackFileError.
    """
    parts: list[str | int] = []
    for quoted, index, name in re.findall(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        parts.append(int(index) if index else quoted or name)
    if not parts or not isinstance(parts[0], str):
        raise StackFileError(
            f"{path!r} is not a configuration path. Write it as Pulumi does, for example llm-d:models[0].replicas"
        )
    return [full_key(parts[0]), *parts[1:]]


def contains(values: Mapping[str, Any], path: str) -> bool:
    """Whether a value is set at a path."""
    missing = object()
    return value_at(values, *segments(path), default=missing) is not missing


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set one value by its path and create the missing parents. Raises StackFileError for a path that cannot exist."""
    parts = segments(path)
    target: Any = values
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        empty: Any = [] if not last and isinstance(parts[position + 1], int) else {}
        if isinstance(part, int):
            if not isinstance(target, list):
                raise StackFileError(f"{path}: {parts[position - 1]} is no list: write it without [{part}]")
            if part > len(target):
                last_one = f"; [{len(target) - 1}] is the last one" if target else ""
                raise StackFileError(
                    f"{path}: element {part} does not exist, and the next one to append is [{len(target)}]{last_one}"
                )
            if part == len(target):
                target.append(value if last else empty)
            elif last:
                target[part] = value
        elif isinstance(target, list) and part.strip().isdecimal():
            bracketed = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", path)
            raise StackFileError(f"{path}: the number of a list's element is in brackets: write {bracketed}")
        elif isinstance(target, list):
            raise StackFileError(
                f"{path}: {parts[position - 1]} is a list, whose first element is [0]: write"
                f" {path.partition(str(part))[0].rstrip('.[')}[0].{parts[-1]}"
            )
        elif not isinstance(target, dict):
            raise StackFileError(f"{path}: {part} cannot be set, because {parts[position - 1]} has a value, not keys")
        elif last:
            target[part] = value
        else:
            target.setdefault(part, empty)
        if not last:
            target = target[part]
