"""Other values of a setting or a fact, by its type: the first that changes the plan is the one to look at."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import SecretStr


def alternatives(annotation: object, value: object) -> Iterator[object]:
    """Values of the type other than `value`, likely ones first. Some may be invalid; the caller skips those."""
    values = [value]
    for other in _candidates(annotation, value):
        if other not in values:
            values.append(other)
            yield other


def _candidates(annotation: object, value: object) -> Iterator[object]:
    kind = get_origin(annotation)
    arguments = get_args(annotation)
    if kind is Annotated:
        yield from _candidates(arguments[0], value)
    elif kind in (Union, types.UnionType):
        for argument in arguments:
            if argument is not type(None):
                yield from _candidates(argument, value)
        if type(None) in arguments and value is not None:
            yield None
    elif kind is Literal:
        yield from arguments
    elif kind is tuple:
        yield from _sequences(arguments[0] if arguments else str, value)
    elif kind in (dict, Mapping, typing.Mapping):
        fields_of_value = dict(value) if isinstance(value, Mapping) else {}
        yield {**fields_of_value, "explained": next(_candidates(arguments[1], None), "other")}
    else:
        yield from _scalars(annotation, value)


def _sequences(item: object, value: object) -> Iterator[object]:
    items = list(value) if isinstance(value, tuple | list) else []
    more = next(_candidates(item, items[-1] if items else None), None)
    if more is not None:
        yield [*items, more]
    if items:
        yield items[:-1]


def _scalars(annotation: object, value: object) -> Iterator[object]:
    if annotation is bool:
        yield from (not value, bool(value))
    elif annotation in (int, float):
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None:
            yield from (2, 64, 512, 0.5)
        else:
            is_integer = annotation is int
            yield from (
                (int(number) + 1, int(number) * 2, 0) if is_integer else (float(f"{number * 0.9:.6g}"), number + 1, 0.0)
            )
    elif annotation is IPv4Network:
        yield from ("172.20.0.0/20", "172.24.0.0/23", "10.64.0.0/14")
    elif annotation is SecretStr:
        yield "hf_another_one"
    elif annotation is str:
        yield from _example_texts(value if isinstance(value, str) else "")


def _example_texts(value: str) -> Iterator[str]:
    """Example texts of different forms; one of them matches most patterns."""
    yield f"{value}-x" if value else "other"
    yield "example.com/image:v1"
    yield "600m"
    yield "3Gi"
    yield "1.35.1-gke.1000000"
    yield "2x4"
    yield "FREQ=DAILY"
    yield "2030-01-01T00:00:00Z"
