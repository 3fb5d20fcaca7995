"""Errors of the command `explain`."""

from __future__ import annotations


class FieldError(Exception):
    """There is no such object or field. The message names what there is."""
