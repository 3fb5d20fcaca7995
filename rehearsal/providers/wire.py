"""Property values between Python and Pulumi's wire form: secrets, unknowns, numbers, and how two values differ.

Python side: None, bool, int, float, str, list, dict, plus `UNKNOWN` (a value no preview can know) and `Secret(value)`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from google.protobuf import struct_pb2

Properties: TypeAlias = dict[str, Any]  # JSON by nature: what a resource is made of, keys as on the wire
Path: TypeAlias = tuple[str | int, ...]

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - marks one, is none
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_ON_WIRE: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
LARGEST_EXACT_INTEGER: Final = 2**53  # a Struct holds doubles


class Unknown:
    """Type of `UNKNOWN`; there is one instance."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: object) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value the engine must encrypt in its state and hide on the screen."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(…)"


def unmarshal(struct: struct_pb2.Struct) -> Properties:
    """A message's properties as Python values. Whole numbers become int, secrets `Secret`, unknowns `UNKNOWN`."""
    return {key: _from_wire(value) for key, value in struct.fields.items()}


def _from_wire(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_ON_WIRE else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= LARGEST_EXACT_INTEGER else number
        case "list_value":
            return [_from_wire(item) for item in value.list_value.values]
        case "struct_value":
            return _from_object(unmarshal(value.struct_value))
    return None


def _from_object(fields: Properties) -> Any:
    match fields.get(SIGNATURE):
        case None:
            return fields
        case signature if signature == SECRET:
            return Secret(fields.get("value"))
        case signature if signature == OUTPUT:
            value = fields.get("value", UNKNOWN)
            return Secret(value) if fields.get("secret") else value
        case signature if signature == REFERENCE:
            return fields.get("id", UNKNOWN)
    raise ValueError("assets and archives are not stood in for")


def marshal(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The wire form of `unmarshal`'s result. Raises TypeError for a value that has none."""
    return struct_pb2.Struct(fields={key: _to_wire(value) for key, value in properties.items()})


def _to_wire(value: Any) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=UNKNOWN_ON_WIRE)
    if isinstance(value, Secret):
        return struct_pb2.Value(struct_value=marshal({SIGNATURE: SECRET, "value": value.value}))
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=marshal(value))
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_to_wire(item) for item in value]))
    raise TypeError(f"{type(value).__name__} has no wire form")


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
    """`value` with everything wrapped as secret that is secret at the same path of `like`."""
    if isinstance(value, Secret):
        return value
    if isinstance(like, Secret):
        return Secret(value)
    if isinstance(value, Mapping) and isinstance(like, Mapping):
        return {key: rewrap_secrets(item, like.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(like, list):
        return [rewrap_secrets(item, like[i] if i < len(like) else None) for i, item in enumerate(value)]
    return value


def has_unknown(value: Any) -> bool:
    """Whether any part of the value is unknown."""
    if isinstance(value, Secret):
        return has_unknown(value.value)
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return value is UNKNOWN


class Change(Enum):
    """How one property changed."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


def changes(old: Any, new: Any, path: Path = ()) -> Iterator[tuple[Path, Change]]:
    """Every deepest path at which two revealed values differ. Null and absent are the same; so are 1 and 1.0."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from changes(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for i in range(max(len(old), len(new))):
            yield from changes(_at(old, i), _at(new, i), (*path, i))
    elif old is None and new is not None:
        yield path, Change.ADD
    elif old is not None and new is None:
        yield path, Change.DELETE
    elif type(old) is bool or type(new) is bool:
        if old is not new:
            yield path, Change.UPDATE
    elif old != new or new is UNKNOWN:
        yield path, Change.UPDATE


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


@dataclass(frozen=True)
class Diff:
    """What an update would change, and whether it takes a new resource.

    `replaces` are the paths among `changes` that cannot change in place; empty means an update will do.
    """

    changes: Mapping[Path, Change]
    replaces: frozenset[Path] = frozenset()
    delete_before_replace: bool = False

    @property
    def changed(self) -> bool:
        return bool(self.changes)


def difference(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    replaces: Callable[[Path], bool] = lambda _: False,
    ignores: Callable[[Path], bool] = lambda _: False,
    delete_before_replace: bool = False,
) -> Diff:
    """Compare two sets of properties. `replaces` and `ignores` judge the deepest changed paths, ("a", 0, "b")."""
    found = {path: change for path, change in changes(unwrap_secrets(old), unwrap_secrets(new)) if not ignores(path)}
    return Diff(found, frozenset(path for path in found if replaces(path)), delete_before_replace)


def under(path: Path, *prefixes: str) -> bool:
    """Whether the path is one of the dotted prefixes or lies below one. List positions do not count: a[0].b is a.b."""
    names = [part for part in path if isinstance(part, str)]
    return any(names[: len(wanted)] == wanted for wanted in (prefix.split(".") for prefix in prefixes))


def dotted(path: Path) -> str:
    """Pulumi's way of writing a path: `spec.ports[0].port`, `metadata.labels["app.kubernetes.io/name"]`."""
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
