"""Choices of the command line."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"


class Where(StrEnum):
    REHEARSAL = "rehearsal"
    GKE = "gke"

    @property
    def place(self) -> Literal["rehearsal", "gke"]:
        return "rehearsal" if self is Where.REHEARSAL else "gke"
