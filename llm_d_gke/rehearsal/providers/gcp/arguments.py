"""The arguments of Google Cloud resources, from the types of the installed SDK, which follow the provider's schema.

The SDK itself accepts some mistakes: a nested block written as a dictionary may carry any key and any value.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Union

from pulumi import _types as sdk_types  # no public way to the wire names of an argument class

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.rehearsal.errors import ProviderError


class UnknownTypeError(ProviderError):
    """The SDK has no resource of this type token."""


class Problem(NamedTuple):
    """One argument the provider refuses: `path` as in `nodeConfig.taints[0].effect`."""

    path: str
    reason: str


@dataclass(frozen=True)
class Block:
    """The arguments of a resource, or of a nested block: wire name to type, and which of them are required."""

    types: Mapping[str, Any]
    required: frozenset[str]


def resource_class(token: str) -> type:
    """`pulumi_gcp.container.NodePool` for `gcp:container/nodePool:NodePool`. Raises `UnknownTypeError`."""
    try:
        _, module, name = token.split(":")
        resource_type: type = getattr(importlib.import_module(f"pulumi_gcp.{module.split('/')[0]}"), name)
    except (ValueError, ImportError, AttributeError) as error:
        raise UnknownTypeError(f"the gcp provider has no resource type {token}") from error
    return resource_type


@functools.cache
def arguments_of(token: str) -> Block:
    """The top-level arguments of a resource type. Raises `UnknownTypeError`."""
    kind = resource_class(token)
    return _block(getattr(importlib.import_module(kind.__module__), f"{kind.__name__}Args"))


def check(token: str, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Inputs with numbers and truth values as the schema has them, and what is wrong with them.

    A value that is no plain JSON is taken for one not known yet, and passed on unread.
    """
    problems: list[Problem] = []
    checked = _check_block(arguments_of(token), inputs, "", problems)
    problems += _check_enums(accepted_values().get(token, {}), checked)
    return checked, problems


@functools.cache
def accepted_values() -> Mapping[str, Mapping[str, list[str]]]:
    """Values that a text may have, by type token and path of the argument."""
    values: dict[str, dict[str, list[str]]] = read_yaml(Path(__file__).with_name("enums.yaml"))
    return values


@functools.cache
def _block(arguments: type) -> Block:
    wire = sdk_types.input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments).parameters.values()
    required = frozenset(wire.get(p.name, p.name) for p in parameters if p.default is inspect.Parameter.empty)
    return Block(sdk_types.input_type_types(arguments), required)


def _check_block(block: Block, value: Mapping[str, Any], path: str, problems: list[Problem]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, item in value.items():
        where = f"{path}.{key}" if path else key
        if key in block.types:
            checked[key] = _check(block.types[key], item, where, problems)
        else:
            problems.append(Problem(where, f"Invalid or unknown key{_nearest(key, block.types)}"))
    for key in sorted(block.required - value.keys()):
        where = f"{path}.{key}" if path else key
        problems.append(
            Problem(where, f'Missing required argument. The argument "{key}" is required, but no definition was found')
        )
    return checked


def _check(expected: Any, value: Any, path: str, problems: list[Problem]) -> Any:
    expected = _plain(expected)
    if value is None or not isinstance(value, str | int | float | bool | list | dict):
        return value
    if sdk_types.is_input_type(expected) if isinstance(expected, type) else False:
        if isinstance(value, dict):
            return _check_block(_block(expected), value, path, problems)
        problems.append(Problem(path, f"expected a block of arguments, got {_show(value)}"))
    elif typing.get_origin(expected) in (list, Sequence):
        if isinstance(value, list):
            (item,) = typing.get_args(expected)
            return [_check(item, entry, f"{path}[{index}]", problems) for index, entry in enumerate(value)]
        problems.append(Problem(path, f"expected a list, got {_show(value)}"))
    elif typing.get_origin(expected) in (dict, Mapping):
        if isinstance(value, dict):
            _, item = typing.get_args(expected)
            return {key: _check(item, entry, f"{path}.{key}", problems) for key, entry in value.items()}
        problems.append(Problem(path, f"expected a map, got {_show(value)}"))
    elif expected in (bool, int, float, str):
        return _check_scalar(expected, value, path, problems)
    return value


def _check_scalar(expected: type, value: Any, path: str, problems: list[Problem]) -> Any:
    """Convert like the provider, which takes "3" as a number and 3 as a string."""
    if isinstance(value, list | dict):
        problems.append(Problem(path, f"expected a {_NAMES[expected]}, got {_show(value)}"))
        return value
    if expected is str:
        return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else _number(value)
    if expected is bool:
        booleans = {"true": True, "false": False, True: True, False: False} if isinstance(value, bool | str) else {}
        if value in booleans:
            return booleans[value]
    elif not isinstance(value, bool):
        try:
            number = float(value)
            if expected is float or number.is_integer():
                return int(number) if number.is_integer() else number
        except ValueError:
            pass
    problems.append(Problem(path, f"expected a {_NAMES[expected]}, got {_show(value)}"))
    return value


_NAMES = {bool: "truth value", int: "whole number", float: "number", str: "string"}


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _show(value: Any) -> str:
    return "a map" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)


def _nearest(key: str, names: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, names, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _plain(expected: Any) -> Any:
    """The type itself: an item of a list is declared as it, or an awaitable of it, or an Output."""
    if typing.get_origin(expected) in (Union, types.UnionType):
        return _plain(typing.get_args(expected)[0])
    return expected


def _check_enums(enums: Mapping[str, Sequence[str]], inputs: Mapping[str, Any]) -> Iterator[Problem]:
    for pattern, allowed in enums.items():
        for path, value in _at(inputs, pattern.split("."), ""):
            if isinstance(value, str) and value not in allowed:
                yield Problem(path, f"expected {path} to be one of {sorted(allowed)}, got {value}")


def _at(value: Any, keys: Sequence[str], path: str) -> Iterator[tuple[str, Any]]:
    """Every value at a path like `nodeConfig.taints.effect`, through lists, with its own path."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _at(item, keys, f"{path}[{index}]")
    elif not keys:
        yield path, value
    elif isinstance(value, dict) and keys[0] in value:
        yield from _at(value[keys[0]], keys[1:], f"{path}.{keys[0]}" if path else keys[0])
