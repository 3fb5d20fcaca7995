"""Typed settings of a stack file, with validation that needs no other setting. Imports nothing else of this project."""

from llm_d_gke.settings.stack import StackSettings

__all__ = ["StackSettings"]
