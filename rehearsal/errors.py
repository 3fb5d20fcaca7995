"""Failures that a person can act on: shown as a sentence, never as a traceback."""

from __future__ import annotations


class RehearsalError(Exception):
    """What went wrong and what to do about it, in one or two sentences."""
