"""Compares a planned Kubernetes object with the one in the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from llm_d_gke.resource_graph.kubernetes import PLACEHOLDER, REGISTRY_PLACEHOLDER

UNKNOWN = "[unknown]"
_NOT_COMPARED = (UNKNOWN, PLACEHOLDER, REGISTRY_PLACEHOLDER)
# The digest of the token, which is encrypted in the stack file.
_NOT_READ_HERE = "checksum/hugging-face-token"
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_FACTORS = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    **{unit: Fraction(1000**power) for power, unit in enumerate(("k", "M", "G", "T"), 1)},
    **{unit: Fraction(1024**power) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)},
}
# Fields by which the API server identifies elements of a list: their order is not the planned one in every case.
_KEYS = ("name", "mountPath", "containerPort")


def differences(planned: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each planned field that the live object has otherwise.

    Fields that the plan does not have are defaults of the API server or other controllers' and are ignored; so are
    values that the plan does not know. Of a Secret only the keys are compared.
    """
    if planned.get("kind") == "Secret":
        keys = {*(planned.get("data") or {}), *(planned.get("stringData") or {})}
        missing = sorted(keys - set(live.get("data") or {}))
        if missing:
            yield f"data lacks {', '.join(missing)}"
        planned = {key: value for key, value in planned.items() if key not in ("data", "stringData")}
    yield from _mapping(planned, live, "")


def _mapping(planned: Mapping[str, Any], live: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in planned.items():
        if key != _NOT_READ_HERE:
            yield from _value(value, live.get(key), f"{path}.{key}" if path else key)


def _value(planned: Any, live: Any, path: str) -> Iterator[str]:
    if planned in _NOT_COMPARED or (_is_empty(planned) and _is_empty(live)):
        return
    if isinstance(planned, Mapping) and isinstance(live, Mapping):
        yield from _mapping(planned, live, path)
    elif isinstance(planned, list) and isinstance(live, list):
        yield from _list(planned, live, path)
    elif not _same(planned, live):
        yield f"{path} is {_text(live)}, planned {_text(planned)}"


def _list(planned: list[Any], live: list[Any], path: str) -> Iterator[str]:
    key = next((key for key in _KEYS if all(isinstance(item, Mapping) and key in item for item in planned)), None)
    if key is None:
        if len(live) < len(planned):
            yield f"{path} has {len(live)} entries, planned {len(planned)}"
        for index, (value, live_value) in enumerate(zip(planned, live, strict=False)):
            yield from _value(value, live_value, f"{path}[{index}]")
        return
    by_key = {item.get(key): item for item in live if isinstance(item, Mapping)}
    for value in planned:
        if value[key] not in by_key:
            yield f"{path} lacks {value[key]}"
        else:
            yield from _value(value, by_key[value[key]], f"{path}[{value[key]}]")


def _is_empty(value: Any) -> bool:
    """Whether the API server may leave a value out."""
    return value is None or value is False or value in ("", 0) or value == {} or value == []


def _same(planned: Any, live: Any) -> bool:
    if planned == live:
        return True
    ours, theirs = _quantity(planned), _quantity(live)
    return ours is not None and ours == theirs


def _quantity(value: Any) -> Fraction | None:
    hit = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    return None if hit is None else Fraction(hit[1]) * _FACTORS[hit[2] or ""]


def _text(value: Any) -> str:
    text = repr(value) if value is not None else "missing"
    return text if len(text) <= 80 else f"{text[:77]}..."
