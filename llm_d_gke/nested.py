"""Values inside nested maps and lists: manifests, Helm values, stack files, inputs of resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def value_at(tree: object, *path: str | int, default: Any = None) -> Any:
    """The value at a path of keys and list positions, or `default` where the path leads nowhere.

    A dotted path is given as its parts: `value_at(manifest, *"spec.replicas".split("."))`.
    """
    for part in path:
        if isinstance(tree, list):
            if not isinstance(part, int) or not 0 <= part < len(tree):
                return default
            tree = tree[part]
        elif isinstance(tree, Mapping) and part in tree:
            tree = tree[part]
        else:
            return default
    return tree


def plain(tree: Any) -> Any:
    """The same values in dictionaries and lists only, as JSON and YAML write them."""
    if isinstance(tree, Mapping):
        return {key: plain(value) for key, value in tree.items()}
    return [plain(value) for value in tree] if isinstance(tree, list | tuple) else tree
