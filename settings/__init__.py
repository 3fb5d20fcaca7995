"""What the user may say: typed settings with local rules only. Imports nothing else of this project."""

from settings.stack import StackSettings

__all__ = ["StackSettings"]
