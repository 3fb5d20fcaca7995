"""File and line of each setting of a stack, in its own file or in a base of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_d_gke.stackfile.base import BASE, list_key
from llm_d_gke.stackfile.document import Keys, lines_of, parse
from llm_d_gke.stackfile.paths import StackFileError
from llm_d_gke.stackfile.project import NAMESPACE

Places = dict[Keys, str]


def places_of(file: Path, root: Path) -> Mapping[Keys, str]:
    """`Pulumi.chat.yaml, line 4` for every key and list element of the merged settings, by path without namespace.

    `root` is the project's folder, from which bases are named. Empty for a file that cannot be read, and where values
    come from an environment of Pulumi ESC: these are in no file, and replace those of a base.
    """
    try:
        return _read(file, file.name, root)[1]
    except StackFileError:
        return {}


def _read(file: Path, name: str, root: Path) -> tuple[dict[str, Any], Places]:
    """Merged settings of a file and its bases by key without namespace, and the place of each."""
    document, prefix = parse(file), f"{NAMESPACE}:"
    values = {str(key).removeprefix(prefix): value for key, value in (document.get("config") or {}).items()}
    places = {
        (str(first).removeprefix(prefix), *rest): f"{name}, line {line}"
        for (first, *rest), line in lines_of(file).items()
    }
    if not isinstance(values.get(BASE), str):
        return values, places
    if "environment" in document:
        return values, {}
    base, merged = _read(root / values[BASE], values[BASE], root)
    # A key without a value counts as unset.
    own = {key: value for key, value in values.items() if key != BASE and value is not None}
    merged[BASE,] = places.get((BASE,), name)
    return _merged(base, own, merged, places), merged


def _merged(base: Any, own: Any, merged: Places, places: Places, at: Keys = (), written: Keys = ()) -> Any:
    """What `own`, at `written` in its file, makes of `base`. `merged` are places below `at` and get those of `own`."""
    key = list_key(at, base, own)
    if isinstance(base, dict) and isinstance(own, dict) and "secure" not in own:
        inner = {name: (name, name) for name in own}
        result: Any = {**base}
    elif key is not None:
        names = [element[key] for element in base]
        names += [element[key] for element in own if element[key] not in names]
        inner = {index: (names.index(element[key]), index) for index, element in enumerate(own)}
        result = dict(enumerate(base))
    else:
        for replaced in [keys for keys in merged if keys[: len(at)] == at]:
            del merged[replaced]
        merged |= {(*at, *k[len(written) :]): place for k, place in places.items() if k[: len(written)] == written}
        return own
    # Keys that YAML reads as numbers or merges from an anchor have no place of their own.
    if written in places:
        merged[at] = places[written]
    for name, (to, origin) in inner.items():
        value = _merged(result.get(to), own[name], merged, places, (*at, to), (*written, origin))
        if own[name] is None:
            result.pop(to, None)
        else:
            result[to] = value
    return result if key is None else list(result.values())
