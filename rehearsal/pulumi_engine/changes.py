"""The settings that differ from the last `up`, and what each of them replaces."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic import ValidationError

from planning.findings import path_of
from rehearsal.paths import StackPaths
from settings import StackSettings
from settings.leaves import Leaf, leaves
from stackfile import StackConfig


def save_settings(paths: StackPaths, configuration: StackConfig) -> None:
    """Save the settings after an `up`, without secrets."""
    standing = {path_of(*leaf.path): leaf.shown for leaf in _leaves(configuration)}
    paths.settings.write_text(json.dumps(standing, indent=1), encoding="utf-8")


def diff_settings(paths: StackPaths, configuration: StackConfig) -> Iterator[str]:
    """Yields a line for each setting that differs from the saved ones. Nothing before the first `up`."""
    if not paths.settings.exists():
        return
    standing = json.loads(paths.settings.read_text(encoding="utf-8"))
    for leaf in _leaves(configuration):
        path = path_of(*leaf.path)
        if standing.get(path) != leaf.shown:
            replaced = f": replaces {', '.join(leaf.replaces)}" if leaf.replaces else ""
            yield f"{path}: {standing.get(path, '(none)')} -> {leaf.shown}{replaced}"


def _leaves(configuration: StackConfig) -> list[Leaf]:
    try:
        return list(leaves(StackSettings.model_validate(configuration.settings())))
    except ValidationError:
        # The engine reports what is wrong with them.
        return []
