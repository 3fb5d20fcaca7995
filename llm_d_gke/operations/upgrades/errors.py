"""Errors of the commands `upgrade`, `rollback` and `deletions`."""

from __future__ import annotations


class UpgradeError(Exception):
    """The command names something that does not exist. The message holds the reason and the correction."""


class StepError(Exception):
    """A step failed. The message is the engine's or the check's own."""
