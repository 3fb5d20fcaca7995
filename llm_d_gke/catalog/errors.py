"""Errors in data: in the catalog, and in a model's config.json."""

from __future__ import annotations


class ConfigError(Exception):
    """A config.json that is incomplete, or has a feature that this program does not support (`unknown`)."""

    def __init__(self, message: str, *, unknown: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown


class CatalogError(Exception):
    """The catalog's own data is wrong. The message names the file and the entry."""
