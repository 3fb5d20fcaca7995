"""What can be wrong with data: the catalog's own, and a model's config.json."""

from __future__ import annotations


class ConfigError(Exception):
    """A config.json that says too little, or something this program does not know (`unknown`). Reads as a sentence."""

    def __init__(self, message: str, *, unknown: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown


class CatalogError(Exception):
    """The catalog's own data is wrong. The message names the file and the entry."""
