"""Which settings a preview would change of what stands, and what each of them makes anew."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import ValidationError

from rehearsal.configuration import NAMESPACE, Configuration
from rehearsal.paths import StackPaths
from settings import StackSettings
from settings.leaves import Leaf, leaves


def remember(paths: StackPaths, configuration: Configuration) -> None:
    """After an up: the settings that stand now, without secrets."""
    standing = {_path(leaf): leaf.shown for leaf in _leaves(configuration)}
    paths.settings.write_text(json.dumps(standing, indent=1), encoding="utf-8")


def changed(paths: StackPaths, configuration: Configuration) -> Iterator[str]:
    """A line for each setting that differs from what stands. None before the first up."""
    if not paths.settings.exists():
        return
    standing = json.loads(paths.settings.read_text(encoding="utf-8"))
    for leaf in _leaves(configuration):
        path = _path(leaf)
        if standing.get(path) != leaf.shown:
            anew = f": replaces {', '.join(leaf.replaces)}" if leaf.replaces else ""
            yield f"{path}: {standing.get(path, '(none)')} -> {leaf.shown}{anew}"


def _leaves(configuration: Configuration) -> list[Leaf]:
    prefix = f"{NAMESPACE}:"
    values = {key.removeprefix(prefix): value for key, value in configuration.plain().items() if key.startswith(prefix)}
    try:
        return list(leaves(StackSettings.model_validate(values)))
    except ValidationError:
        # The engine says what is wrong with them.
        return []


def _path(leaf: Leaf) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in leaf.path)
    return f"{NAMESPACE}:{text.removeprefix('.')}"
