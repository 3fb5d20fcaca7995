"""Amounts as Kubernetes, the Gateway API and vLLM write them: `500m`, `8Gi`, `1m30s`, `16k`."""

from __future__ import annotations

import re
from decimal import Decimal

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal(10) ** -9,
    "u": Decimal(10) ** -6,
    "m": Decimal(10) ** -3,
    **{letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", start=1)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
# Of vLLM's numbers: lower-case letters are thousands, capitals 1024s.
TOKEN_UNITS: dict[str, int] = {
    "": 1,
    **{letter: 1000**power for power, letter in enumerate("kmgt", start=1)},
    **{letter: 1024**power for power, letter in enumerate("KMGT", start=1)},
}
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def quantity(text: str | int | float) -> Decimal:
    """A Kubernetes quantity: `"500m"` is 0.5, `"8Gi"` is 8589934592. Raises ValueError on anything else."""
    match = re.fullmatch(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)", str(text).strip())
    if match is None or match[2] not in _SUFFIXES:
        raise ValueError(f"not a quantity: {text}")
    return Decimal(match[1]) * _SUFFIXES[match[2]]


def cpu_millis(text: str) -> float:
    """A Kubernetes quantity of CPUs in thousandths."""
    return float(quantity(text) * 1000)


def memory_mib(text: str) -> float:
    """A Kubernetes quantity of memory in MiB."""
    return float(quantity(text) / 2**20)


def token_count(text: str) -> int:
    """A number of vLLM's arguments: `16384`, `16k` (thousands) and `16K` (1024s). Raises ValueError on anything else.

    human_readable_int in vllm/utils/argparse_utils.py, the same in 0.26.0 and 0.30.0.
    """
    match = re.fullmatch(r"(-?[0-9]+(?:\.[0-9]+)?)([kmgtKMGT]?)", text)
    if match is None:
        raise ValueError(f"not a number of tokens: {text}")
    return int(Decimal(match[1]) * TOKEN_UNITS[match[2]])


def seconds(duration: str) -> float:
    """A Gateway API duration (`1s`, `500ms`, `1m30s`) in seconds."""
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", duration))
