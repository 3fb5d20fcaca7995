"""Property values as a recording keeps them: plain Python, with a marker for what a plain value cannot say.

The engine's protocol hides secrets, unknowns, assets and references in dictionaries and strings with reserved
signatures. Here they become objects, so that a test can tell a secret from a string and an unknown from a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

Value: TypeAlias = Any
"""None, bool, int, float, str, list and dict (string keys) of values, Secret, UNKNOWN, Asset or Reference."""


@dataclass(frozen=True)
class Secret:
    """A secret property. It prints as `[secret]`; `value` holds what the program gave, possibly UNKNOWN."""

    value: Value = field(repr=False)

    def __str__(self) -> str:
        return "[secret]"

    __repr__ = __str__


class Unknown(Enum):
    """A property that only a real deployment can know. One member, so that `is UNKNOWN` survives pickling."""

    UNKNOWN = "[unknown]"

    def __str__(self) -> str:
        return "[unknown]"

    __repr__ = __str__


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True)
class Asset:
    """A file or archive given as a property; `content` is its wire form without the signature (`text`, `path`, ...)."""

    content: dict[str, Value]


@dataclass(frozen=True)
class Reference:
    """A whole resource given as a property."""

    urn: str
    id: Value = None


def decode(value: struct_pb2.Value) -> Value:
    """One wire value as Python. Numbers without a fraction become int: the wire has floats only."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
    if kind == "struct_value":
        return _decode_object(decode_struct(value.struct_value))
    if kind == "list_value":
        return [decode(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    return None


def decode_struct(struct: struct_pb2.Struct) -> dict[str, Value]:
    """The properties of a resource as Python, keys as on the wire (camelCase), sorted: the wire has no order."""
    fields = struct.fields
    return {key: decode(fields[key]) for key in sorted(fields)}


def _decode_object(fields: dict[str, Value]) -> Value:
    signature = fields.get(rpc._special_sig_key)
    if signature is None:
        return fields
    if signature == rpc._special_secret_sig:
        return Secret(fields.get("value"))
    if signature == rpc._special_resource_sig:
        return Reference(fields["urn"], fields.get("id"))
    if signature in (rpc._special_asset_sig, rpc._special_archive_sig):
        return Asset({key: value for key, value in fields.items() if key != rpc._special_sig_key})
    raise ValueError(f"the program sent a property with the unknown signature {signature!r}")


def is_secret(value: struct_pb2.Value) -> bool:
    """Whether a wire value is wrapped as a secret."""
    fields = value.struct_value.fields
    return rpc._special_sig_key in fields and fields[rpc._special_sig_key].string_value == rpc._special_secret_sig


def make_secret(struct: struct_pb2.Struct, key: str) -> None:
    """Wrap one wire property as a secret, unless it is absent or one already."""
    if key not in struct.fields or is_secret(struct.fields[key]):
        return
    wrapped = struct_pb2.Value()
    wrapped.struct_value.fields[rpc._special_sig_key].string_value = rpc._special_secret_sig
    wrapped.struct_value.fields["value"].CopyFrom(struct.fields[key])
    struct.fields[key].CopyFrom(wrapped)


def merge(struct: struct_pb2.Struct, extra: Mapping[str, Value]) -> None:
    """Lay plain values over wire properties: mappings are merged key by key, everything else is replaced."""
    for key, value in extra.items():
        below = struct.fields.get(key)
        if isinstance(value, Mapping) and below is not None and below.HasField("struct_value") and not is_secret(below):
            merge(below.struct_value, value)
        else:
            struct.update({key: value})


def contains_unknown(value: Value) -> bool:
    """Whether an unknown is anywhere in a value, also inside a secret."""
    if value is UNKNOWN:
        return True
    if isinstance(value, Secret):
        return contains_unknown(value.value)
    if isinstance(value, Mapping):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return False


def jsonable(value: Value) -> Value:
    """A value for JSON or YAML: `[secret]` and `[unknown]` as text, nothing secret behind them."""
    if isinstance(value, Secret | Unknown):
        return str(value)
    if isinstance(value, Asset):
        return jsonable(value.content)
    if isinstance(value, Reference):
        return {"urn": value.urn, "id": jsonable(value.id)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value
