"""Which settings a preview would change of what stands, and what each of them makes anew."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import ValidationError

from planning.findings import path_of
from rehearsal.configuration import Configuration
from rehearsal.paths import StackPaths
from settings import StackSettings
from settings.leaves import Leaf, leaves


def remember(paths: StackPaths, configuration: Configuration) -> None:
    """After an up: the settings that stand now, without secrets."""
    standing = {path_of(*leaf.path): leaf.shown for leaf in _leaves(configuration)}
    paths.settings.write_text(json.dumps(standing, indent=1), encoding="utf-8")


def changed(paths: StackPaths, configuration: Configuration) -> Iterator[str]:
    """A line for each setting that differs from what stands. None before the first up."""
    if not paths.settings.exists():
        return
    standing = json.loads(paths.settings.read_text(encoding="utf-8"))
    for leaf in _leaves(configuration):
        path = path_of(*leaf.path)
        if standing.get(path) != leaf.shown:
            anew = f": replaces {', '.join(leaf.replaces)}" if leaf.replaces else ""
            yield f"{path}: {standing.get(path, '(none)')} -> {leaf.shown}{anew}"


def _leaves(configuration: Configuration) -> list[Leaf]:
    try:
        return list(leaves(StackSettings.model_validate(configuration.settings())))
    except ValidationError:
        # The engine says what is wrong with them.
        return []
