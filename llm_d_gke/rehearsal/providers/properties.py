"""Properties of resources as the providers see them, and how two sets of them differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

from google.protobuf import struct_pb2

from llm_d_gke.resource_graph.values import UNKNOWN, Asset, Reference, Secret
from llm_d_gke.resource_graph.wire import decode_struct

Properties: TypeAlias = dict[str, Any]  # JSON values: the content of a resource, keys as on the wire
Path: TypeAlias = tuple[str | int, ...]


def unmarshal(struct: struct_pb2.Struct) -> Properties:
    """A message's properties as Python values. A reference to a resource becomes its id.

    Raises ValueError for an asset or archive.
    """
    return {key: _resolved(value) for key, value in decode_struct(struct).items()}


def _resolved(value: Any) -> Any:
    if isinstance(value, Secret):
        return Secret(_resolved(value.value))
    if isinstance(value, Reference):
        return UNKNOWN if value.id is None else value.id
    if isinstance(value, Asset):
        raise ValueError("assets and archives are not simulated")  # noqa: TRY004 - one kind of error for the caller
    if isinstance(value, Mapping):
        return {key: _resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    return value


def unwrap_secrets(value: Any) -> Any:
    """The value without its secret wrappers, at every depth."""
    if isinstance(value, Secret):
        return unwrap_secrets(value.value)
    if isinstance(value, Mapping):
        return {key: unwrap_secrets(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [unwrap_secrets(item) for item in value]
    return value


def rewrap_secrets(value: Any, like: Any) -> Any:
    """`value`, with secret wrappers at the paths where `like` has them."""
    if isinstance(value, Secret):
        return value
    if isinstance(like, Secret):
        return Secret(value)
    if isinstance(value, Mapping) and isinstance(like, Mapping):
        return {key: rewrap_secrets(item, like.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(like, list):
        return [rewrap_secrets(item, like[i] if i < len(like) else None) for i, item in enumerate(value)]
    return value


class Change(Enum):
    """The kind of change of one property."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


def changes(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Change]]:
    """Yields the deepest paths at which two values differ. Null and absent are equal, and so are 1 and 1.0."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from changes(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for i in range(max(len(old), len(new))):
            yield from changes(_item_or_none(old, i), _item_or_none(new, i), (*path, i))
    elif old is None and new is not None:
        yield path, Change.ADD
    elif old is not None and new is None:
        yield path, Change.DELETE
    elif type(old) is bool or type(new) is bool:
        if old is not new:
            yield path, Change.UPDATE
    elif old != new or new is UNKNOWN:
        yield path, Change.UPDATE


def _item_or_none(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


@dataclass(frozen=True)
class Diff:
    """The changes of an update, and whether it needs a replacement.

    `replaces` are the paths of `changes` that cannot change in place. Empty means that an update is enough.
    """

    changes: Mapping[Path, Change]
    replaces: frozenset[Path] = frozenset()
    delete_before_replace: bool = False


def difference(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    replaces: Callable[[Path], bool] = lambda _: False,
) -> Diff:
    """Compare two sets of properties. `replaces` judges the deepest changed paths, ("a", 0, "b")."""
    changes_found = dict(changes(unwrap_secrets(old), unwrap_secrets(new)))
    return Diff(changes_found, frozenset(path for path in changes_found if replaces(path)))


def dotted(path: Path) -> str:
    """A path in Pulumi's notation: `spec.ports[0].port`, `metadata.labels["app.kubernetes.io/name"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z_$][\w$]*", part):
            text += f".{part}" if text else part
        else:
            escaped = part.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text
