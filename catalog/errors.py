"""What is wrong with somebody else's data about a model."""

from __future__ import annotations


class ConfigError(Exception):
    """A config.json that says too little, or something this program does not know (`unknown`). Reads as a sentence."""

    def __init__(self, message: str, *, unknown: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown
