"""Candidates for a valid number in place of a text: `8k`, `5m` of seconds, `10MB` of bytes, `20/s` of a minute."""

from __future__ import annotations

import re

from llm_d_gke.planning.setting_errors.words import NUMBER_WORDS, SECONDS, THOUSANDS

# A year as HSTS counts it.
_LONG = {"w": 7 * 86400, "week": 7 * 86400, "weeks": 7 * 86400, "y": 31_536_000, "year": 31_536_000}

_TENS = {"k": 1000, "m": 1_000_000}


def number_in(text: str, key: str) -> float | None:
    """The number that a text means as the value of a key: in seconds, milliseconds or bytes where the key ends so."""
    plain = re.sub("[\u2010-\u2015\u2212]", "-", text.strip().lstrip("$€£~≈ "))
    plain = "".join(str(int(sign)) if sign.isdecimal() else sign for sign in plain)
    if plain.lower() in NUMBER_WORDS:
        return float(NUMBER_WORDS.index(plain.lower()))
    plain = re.sub(r"(?<=[0-9])[ _,'](?=[0-9]{3}\b)", "", plain)
    match = re.match(r"([+-]?[0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]*)", plain)
    if match is None:
        return None
    number, unit = float(match[1].replace(",", ".")), match[2].lower()
    rate = re.search(r"(?:/|\bper|[rq]p)\s*([a-z]+)", plain.lower())
    if rate is not None and key.endswith(("PerMinute", "PerSecond")):
        return number * (60 if key.endswith("PerMinute") else 1) / _seconds(rate[1])
    if key.endswith("Seconds"):
        return number * _seconds(unit)
    if key.endswith("Ms"):
        return number if unit in ("", "ms") else number * _seconds(unit) * 1000
    if key.endswith("Bytes"):
        return number * THOUSANDS.get(unit[:1], 1)
    # A size in GiB is given in GiB already.
    if key.endswith("Gib"):
        return number * 1024 if unit[:1] == "t" else number
    # Money and requests are counted in tens, tokens mostly in powers of two.
    if unit in _TENS and (key.endswith("Usd") or key.startswith("requests") or key in ("concurrency", "maximum")):
        return number * _TENS[unit]
    return number * (THOUSANDS.get(unit, 1) if len(unit) == 1 else 1)


def _seconds(unit: str) -> float:
    if unit.startswith(("ms", "milli")):
        return 0.001
    return _LONG.get(unit, SECONDS.get(unit, SECONDS.get(unit[:1], 1)))
