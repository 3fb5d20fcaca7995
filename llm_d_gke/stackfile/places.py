"""File and line of each setting of a stack, in its own file or in a base of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llm_d_gke.stackfile.base import BASE, element_key, layers, merged_layers
from llm_d_gke.stackfile.document import Keys, lines_of, parse
from llm_d_gke.stackfile.paths import StackFileError
from llm_d_gke.stackfile.project import NAMESPACE


def places_of(file: Path, root: Path) -> Mapping[Keys, str]:
    """`Pulumi.chat.yaml, line 4` for every key and list element of the merged settings, by path without namespace.

    `root` is the project's folder, from which bases are named. Those of the file alone if a base of it cannot be read.
    Empty for a file that cannot be read, and where values come from an environment of Pulumi ESC: these are in no
    file, and replace those of a base.
    """
    places: dict[Keys, str] = {}
    try:
        document = parse(file)
        own = {str(key).removeprefix(f"{NAMESPACE}:"): value for key, value in (document.get("config") or {}).items()}
        places = _in_file(file, file.name)
        if BASE not in own:
            return places
        if "environment" in document:
            return {}
        files = layers(own, root, file.name)
        place_by_address: dict[Keys, str] = {}
        for layer in reversed(files):
            lines = places if layer is files[0] else _in_file(layer.path, layer.name)
            place_by_address |= {address: lines[at] for at, address in _addresses(layer.values) if at in lines}
        merged = {
            at: place_by_address[address]
            for at, address in _addresses(merged_layers(files))
            if address in place_by_address
        }
    except StackFileError:
        return places
    return {(BASE,): places.get((BASE,), file.name), **merged}


def _in_file(path: Path, name: str) -> dict[Keys, str]:
    return {
        (str(first).removeprefix(f"{NAMESPACE}:"), *rest): f"{name}, line {line}"
        for (first, *rest), line in lines_of(path).items()
    }


def _addresses(value: Any, at: Keys = (), address: Keys = ()) -> Iterator[tuple[Keys, Keys]]:
    """Path and address of everything below a value.

    The address names an element of a list by the key that it is merged by, so that it is the same in every file.
    """
    parts: list[tuple[str | int, str | int, Any]] = []
    if isinstance(value, dict):
        parts = [(name, name, inner) for name, inner in value.items()]
    elif isinstance(value, list):
        key = element_key(at, value)
        parts = [(index, element[key] if key else index, element) for index, element in enumerate(value)]
    for name, known_as, inner in parts:
        yield (*at, name), (*address, known_as)
        yield from _addresses(inner, (*at, name), (*address, known_as))
