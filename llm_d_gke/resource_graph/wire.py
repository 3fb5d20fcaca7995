"""Property values in Pulumi's wire form. The only codec of the project, used by the recorder and by the providers.

The protocol carries secrets, unknowns, assets and references as dictionaries and strings with reserved signatures.
Source: pulumi/pulumi 3.259, sdk/go/common/resource/sig/sig.go and sdk/go/common/resource/plugin/rpc.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import struct_pb2

from llm_d_gke.resource_graph.values import UNKNOWN, Asset, Reference, Secret, Value

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN_ON_WIRE: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
LARGEST_EXACT_INTEGER: Final = 2**53  # a Struct holds doubles


def decode(value: struct_pb2.Value) -> Value:
    """One wire value as Python. Numbers without a fraction become int: the wire has floats only."""
    match value.WhichOneof("kind"):
        case "bool_value":
            return value.bool_value
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_ON_WIRE else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= LARGEST_EXACT_INTEGER else number
        case "list_value":
            return [decode(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_object(decode_struct(value.struct_value))
    return None


def decode_struct(struct: struct_pb2.Struct) -> dict[str, Value]:
    """The properties of a resource as Python, keys as on the wire (camelCase), sorted: the wire has no order."""
    fields = struct.fields
    return {key: decode(fields[key]) for key in sorted(fields)}


def _decode_object(fields: dict[str, Value]) -> Value:
    match fields.get(SIGNATURE):
        case None:
            return fields
        case signature if signature == SECRET:
            return Secret(fields.get("value"))
        case signature if signature == OUTPUT:
            value = fields.get("value", UNKNOWN)
            return Secret(value) if fields.get("secret") else value
        case signature if signature == REFERENCE:
            return Reference(fields["urn"], fields.get("id"))
        case signature if signature in (ASSET, ARCHIVE):
            return Asset({key: value for key, value in fields.items() if key != SIGNATURE})
        case signature:
            raise ValueError(f"a property has the unknown signature {signature!r}")


def encode_struct(properties: Mapping[str, Value]) -> struct_pb2.Struct:
    """The wire form of properties. Raises TypeError for a value that has none."""
    return struct_pb2.Struct(fields={key: _encode(value) for key, value in properties.items()})


def _encode(value: Any) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=UNKNOWN_ON_WIRE)
    if isinstance(value, Secret):
        return struct_pb2.Value(struct_value=encode_struct({SIGNATURE: SECRET, "value": value.value}))
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode_struct(value))
    if isinstance(value, list | tuple):
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=[_encode(item) for item in value]))
    raise TypeError(f"{type(value).__name__} has no wire form")


def is_secret(value: struct_pb2.Value) -> bool:
    """Whether a wire value is wrapped as a secret."""
    fields = value.struct_value.fields
    return SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET


def make_secret(struct: struct_pb2.Struct, key: str) -> None:
    """Wrap one wire property as a secret, unless it is absent or already one."""
    if key not in struct.fields or is_secret(struct.fields[key]):
        return
    wrapped = struct_pb2.Value()
    wrapped.struct_value.fields[SIGNATURE].string_value = SECRET
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
