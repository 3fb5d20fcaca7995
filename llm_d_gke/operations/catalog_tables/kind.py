"""Kinds of catalog entries that can be listed."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    MODELS = "models"
    ACCELERATORS = "accelerators"
    ZONES = "zones"
    MACHINES = "machines"
    RELEASES = "releases"
