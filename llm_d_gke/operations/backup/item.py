"""One thing that has to be kept, and whether it is."""

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
