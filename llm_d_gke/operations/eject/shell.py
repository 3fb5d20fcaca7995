"""Words of a command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Words: TypeAlias = tuple[str, ...]


def flag(name: str, value: object) -> str:
    return f"--{name}={value}"


def switch(name: str, on: object) -> str:
    """A flag without a value, in the form that turns it on or off."""
    return f"--{name}" if on else f"--no-{name}"


def pairs(values: Mapping[str, object]) -> str:
    """Keys and values as gcloud takes them."""
    return ",".join(f"{key}={value}" for key, value in values.items())


def lines(words: Sequence[str]) -> str:
    """A command for a shell: the command itself on the first line, each flag on a separate line."""
    command = [word for word in words if not word.startswith("--")]
    flags = [word for word in words if word.startswith("--")]
    return " \\\n  ".join([shlex.join(command), *(shlex.quote(word) for word in flags)])
