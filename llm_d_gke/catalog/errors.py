"""Errors in data: in the catalog, and in a model's config.json."""

from __future__ import annotations


class ConfigError(Exception):
    """A config.json that is incomplete, or has a feature that this program does not support (`unknown`).

    `wrong`: a value is there with which no engine could load the model.
    """

    def __init__(self, message: str, *, unknown: bool = False, wrong: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown
        self.wrong = wrong


class CatalogError(Exception):
    """The catalog's own data is wrong. The message names the file and the entry."""
