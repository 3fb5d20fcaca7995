"""Typed settings of a stack file, with validation that needs no other setting. Imports nothing else of this project."""

from settings.stack import StackSettings

__all__ = ["StackSettings"]
