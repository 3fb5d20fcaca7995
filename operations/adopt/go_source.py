"""Reads command-line flags, plugin types and labels out of Go source, without compiling it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

# flag.Int("grpc-port", ...), fs.IntVar(&o.Port, "grpc-port", ...), fs.Var(&x, "plugin", ...), fs.IntVar(&x, port, ...
_FLAG = re.compile(
    r"\b(?:flag|fs|flags|pflag)\.(?:(?:Bool|Int|Int64|Uint|Float64|String|Duration|IntSlice|StringSlice)\(\s*"
    r'|(?:[A-Z]\w*)?Var(?:P)?\(\s*&?[\w.]+,\s*)(?:"(?P<name>[a-z][a-z0-9-]*)"|(?P<constant>[a-z]\w*),)'
)
_DEPRECATED = re.compile(r'\bMarkDeprecated\(\s*(?:"(?P<name>[a-z][a-z0-9-]*)"|(?P<constant>[a-z]\w*),)')
# The name of a flag as a constant of the same file.
_NAME = re.compile(
    r'^\s*(?:const\s+)?(?P<name>[a-z]\w*)(?:\s+string)?\s*=\s*"(?P<value>[a-z][a-z0-9-]*)"', re.MULTILINE
)
# plugin.Register(filter.ByLabelType, ...), fwkplugin.RegisterAsDefaultProducer(...), r.registerDeprecated(...)
_REGISTERED = re.compile(r"\b\w*register\w*\(\s*(?:\w+\.)?(?P<package>\w+)\.(?P<constant>\w+)\s*,", re.IGNORECASE)
_CONSTANT = re.compile(r'^\s*(?:const\s+)?(?P<name>[A-Z]\w*)(?:\s+string)?\s*=\s*"(?P<value>[a-z0-9-]+)"', re.MULTILINE)
_PACKAGE = re.compile(r"^package (?P<name>\w+)", re.MULTILINE)
_LABEL = re.compile(r'"(?P<label>[a-z0-9.-]+\.[a-z]+/(?:[a-z]+-)?managed)"')

# Flags that controller-runtime's logger adds (zap.Options.BindFlags).
_ZAP = ("zap-devel", "zap-encoder", "zap-log-level", "zap-stacktrace-level", "zap-time-encoding")


def flags(root: Path, folders: Iterable[str]) -> tuple[list[str], list[str]]:
    """Flags that files of these folders declare, and those of them that are deprecated."""
    found: set[str] = set()
    deprecated: set[str] = set()
    for text in _texts(root, folders):
        names = {match["name"]: match["value"] for match in _NAME.finditer(text)}
        for pattern, into in ((_FLAG, found), (_DEPRECATED, deprecated)):
            into |= {match["name"] or names.get(match["constant"], "") for match in pattern.finditer(text)} - {""}
        if "BindFlags(" in text:
            found |= set(_ZAP)
    return sorted(found), sorted(deprecated & found)


def plugins(root: Path, registers: Iterable[str], folders: Iterable[str]) -> list[str]:
    """Plugin types that the files `registers` register; their names are constants somewhere below `folders`."""
    constants: dict[str, set[tuple[str, str]]] = {}
    for text in _texts(root, folders):
        package = _PACKAGE.search(text)
        for match in _CONSTANT.finditer(text):
            constants.setdefault(match["name"], set()).add((package["name"] if package else "", match["value"]))
    found: set[str] = set()
    for file in registers:
        for match in _REGISTERED.finditer((root / file).read_text(encoding="utf-8")):
            values = constants.get(match["constant"], set())
            # An import may have another name than its package: then the constant's own name has to be enough.
            exact = {value for package, value in values if package == match["package"]}
            found |= exact or {value for _, value in values}
    return sorted(found)


def labels(root: Path, folders: Iterable[str]) -> list[str]:
    """Labels by which a program finds the objects that it manages."""
    return sorted({match["label"] for text in _texts(root, folders) for match in _LABEL.finditer(text)})


def _texts(root: Path, folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        place = root / folder
        if not place.exists():
            continue
        files = [place] if place.is_file() else sorted(place.rglob("*.go"))
        for file in files:
            if not file.name.endswith("_test.go"):
                yield file.read_text(encoding="utf-8", errors="replace")
