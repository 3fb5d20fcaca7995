"""Candidates for a valid group of settings in place of another value."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from llm_d_gke.planning.setting_errors.numbers import number_in
from llm_d_gke.planning.setting_errors.words import choice_here
from llm_d_gke.planning.suggest import letters, nearest
from llm_d_gke.settings.base import Settings
from llm_d_gke.settings.fields import Setting, choices_of, field_of, groups_of, is_group, keys_of, plain_type, tags_of


def group_candidates(setting: Setting, value: object) -> Iterator[object]:
    yield from _from_short_form(value)
    groups = groups_of(setting.kind)
    intended = _meant_kind(groups, value)
    for group in groups:
        base = required_settings(group)
        if isinstance(value, Mapping):
            continue
        tags = tags_of(group)
        if tags and len(groups) > 1:
            if intended in tags:
                yield base
            continue
        yield from _with_bare_value(group, value)
        yield from (base,) if base else _examples(group)
    if value and not isinstance(value, Mapping) and len(groups) > 1:
        # Something was switched on: the kind that needs the least, none of course excepted.
        kinds = [base for group in groups if (base := required_settings(group)).get("kind") != "none"]
        yield from sorted(kinds, key=len)
    if len(groups) > 1 and isinstance(value, Mapping):
        # The kind that has most of the keys that were written.
        yield from sorted(
            ({**required_settings(group), **value} for group in groups),
            key=lambda candidate: -len(set(value) & set(candidate)),
        )
    for group in groups:
        yield required_settings(group)


def _meant_kind(groups: Sequence[type[Settings]], value: object) -> str | None:
    """The kind that a word is, is similar to, or that other programs call so. None for other values."""
    tags = [tag for group in groups for tag in tags_of(group)]
    word = choice_here("kind", str(value))
    return word if word in tags else nearest(value, tags) if isinstance(value, str) else None


def _with_bare_value(group: type[Settings], value: object) -> Iterator[object]:
    """A group with the key that a bare value probably means."""
    if value == "":
        return
    base = required_settings(group)
    number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]+", value) else value
    if isinstance(value, str) and "/" in value and {"name", "source"} <= set(base):
        yield {**base, "name": value.rpartition("/")[2], "source": value}
    for key in _keys_for(group, number):
        yield {**base, key: number}
        if isinstance(value, str) and re.fullmatch(r"[\w .-]+", value):
            yield {**base, key: re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")}
    if isinstance(value, str) and re.match(r"[$€£]?\s*[0-9]", value):
        for key in _keys_for(group, 0):
            if (intended := number_in(value, key)) is not None:
                yield {**base, key: int(intended) if intended.is_integer() else intended}
    existing = field_of(group, "existing")[1]
    if isinstance(value, str) and existing is not None and letters(value) not in ("autopilot", "standard", "none"):
        for inner in groups_of(plain_type(existing.annotation)):
            first = next(iter(required_settings(inner)))
            yield {"existing": {**required_settings(inner), first: value}}


def _examples(group: type[Settings]) -> Iterator[dict[str, object]]:
    """Example values of a group without required settings: one setting with its example, default, or a plain value."""
    infos = {info.alias or name: info for name, info in group.model_fields.items()}
    for key, info in infos.items():
        if examples := (info.examples or _examples_inside(info.annotation)):
            yield {key: examples[0]}
    for key, info in infos.items():
        if isinstance(info.default, int | float) and not isinstance(info.default, bool):
            yield {key: info.default}
    for key, info in infos.items():
        if plain_type(info.annotation) is str:
            yield {key: f"my-{to_kebab(key)}"}
    for key, info in infos.items():
        if plain_type(info.annotation) in (int, float):
            yield {key: 1}


def _examples_inside(annotation: Any) -> list[Any]:
    """Examples of an annotated type within `X | None`."""
    for part in (annotation, *get_args(annotation)):
        for item in get_args(part)[1:] if get_origin(part) is Annotated else ():
            if getattr(item, "examples", None):
                return list(item.examples)
    return []


def to_kebab(key: str) -> str:
    """`existingSecret` as `existing-secret`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", key).lower()


def _from_short_form(value: object) -> Iterator[object]:
    """Groups that others write as one text: an address of weights, a rate, a load, two ends of a range."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value).strip()
    scheme, _, rest = text.partition("://")
    first, _, folder = rest.strip("/").partition("/")
    if scheme == "gs" and first:
        yield {"kind": "bucket", "bucket": first, "path": folder or "my-model"}
    elif scheme == "pvc" and first:
        yield {"kind": "volume-claim", "claim": first, "path": folder or "my-model"}
    elif scheme == "oci" and rest:
        yield {"kind": "image", "reference": rest, "path": "/"}
    if rate := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(?:/|req/|rps|qps)\s*s?", text):
        yield {"requestsPerSecond": float(rate[1])}
    # As `make size LOAD=...` takes it.
    if load := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(/s)?[ ,]+([0-9]+)\+([0-9]+)", text):
        measure = {"requestsPerSecond": float(load[1])} if load[2] else {"concurrency": int(float(load[1]))}
        yield {**measure, "promptTokens": int(load[3]), "outputTokens": int(load[4])}
    if ends := re.fullmatch(r"([0-9]+)\s*(?:-|\.\.+|to|,|:|/)\s*([0-9]+)", text):
        low, high = sorted((int(ends[1]), int(ends[2])))
        yield {"min": low, "max": high}
        yield {"minimum": low, "maximum": high}


def _keys_for(group: type[Settings], value: object) -> Iterator[str]:
    """Keys of a group that a bare value may mean: one with that choice, `max`, a required one, one of its type."""
    fields = {key: info for key in keys_of(group) if (info := field_of(group, key)[1]) is not None}
    types = {key: plain_type(info.annotation) for key, info in fields.items()}
    for key, info in fields.items():
        if value in choices_of(info.annotation):
            yield key
    if isinstance(value, bool):
        yield from (key for key, kind in types.items() if kind is bool)
        return
    if isinstance(value, int | float):
        yield from (key for key in ("max", "maximum") if key in fields)
        yield from (key for key, kind in types.items() if kind in (int, float))
        return
    yield from (key for key, info in fields.items() if info.is_required())
    yield from (key for key in ("type", "name", "id") if key in fields)
    if isinstance(value, str):
        yield from (key for key, kind in types.items() if kind is str)


def required_settings(group: type[Settings]) -> dict[str, object]:
    """The required settings of a group, each with its example."""
    fields: dict[str, object] = {}
    for name, info in group.model_fields.items():
        if info.is_required() or name == "kind":
            key = info.alias or name
            choices = choices_of(info.annotation)
            inner: Any = info.annotation
            if choices:
                fields[key] = choices[0]
            elif is_group(inner):
                fields[key] = required_settings(inner)
            elif get_origin(inner) is tuple:
                element = get_args(inner)[0]
                fields[key] = [required_settings(element)] if is_group(element) else [f"my-{key.removesuffix('s')}"]
            elif info.examples:
                fields[key] = info.examples[0]
            else:
                fields[key] = _PLAIN.get(inner, f"my-{to_kebab(key)}")
    return fields


_PLAIN: Mapping[Any, object] = {int: 1, float: 1.0, bool: True, datetime.date: "2026-01-31"}
