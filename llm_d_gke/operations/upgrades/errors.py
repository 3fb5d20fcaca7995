"""Errors of the commands `upgrade` and `rollback`."""

from __future__ import annotations


class UpgradeError(Exception):
    """The command names something that does not exist. The message holds the reason and the correction."""
