"""Errors of the commands `size` and `init`."""

from __future__ import annotations


class SizeError(Exception):
    """The question cannot be answered. The message suggests another question."""


class LoadError(SizeError):
    """The load cannot be read. The message shows one that can."""
