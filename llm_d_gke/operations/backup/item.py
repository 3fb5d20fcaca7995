"""One item of a backup, and whether it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """SAFE and MISSING were looked at. ELSEWHERE cannot be looked at from here."""

    SAFE = "kept"
    MISSING = "missing"
    ELSEWHERE = "not established"


@dataclass(frozen=True, kw_only=True)
class Item:
    """`what` has to be kept at `place`; `evidence` says how that is known, `action` what to do where it is not."""

    what: str
    place: str
    state: State
    evidence: str
    action: str = ""


def safe(what: str, place: str, evidence: str, action: str = "") -> Item:
    return Item(what=what, place=place, state=State.SAFE, evidence=evidence, action=action)


def missing(what: str, place: str, evidence: str, action: str) -> Item:
    return Item(what=what, place=place, state=State.MISSING, evidence=evidence, action=action)


def not_established(what: str, place: str, evidence: str, action: str = "") -> Item:
    return Item(what=what, place=place, state=State.ELSEWHERE, evidence=evidence, action=action)
