"""Reads what a program takes and exports out of its Go source, without compiling it."""

from __future__ import annotations

import json
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

# flag.Bool("tracing", true, ...), or the field of the options from which such a flag takes its default.
_ON = re.compile(r'\bBool\(\s*"(?P<name>[a-z][a-z0-9-]*)",\s*true')
_ON_FIELD = re.compile(r"^\s*(?P<field>[A-Z]\w*):\s+true,", re.MULTILINE)
_FIELD_FLAG = re.compile(r'\bBoolVar\(\s*&\w+\.(?P<field>\w+),\s*"(?P<name>[a-z][a-z0-9-]*)"')
# Subsystem: poolComponent, Name: "ready_pods", and a whole name where a collector describes its own.
_METRIC = re.compile(r'Subsystem:\s+(?P<subsystem>"?\w+"?),\s+Name:\s+"(?P<name>\w+)",?(?:\s+Help:(?P<help>.*))?')
_DESCRIBED = re.compile(r'NewDesc\(\s*"(?P<name>\w+)"')
_COMPONENT = re.compile(r'^\s*(?:const\s+)?(?P<name>\w+)(?:\s+string)?\s*=\s*(?P<value>"\w+"|\w+)\s*$', re.MULTILINE)
_GROUP = re.compile(r'^(?:const GroupName|var GroupName)\s*=\s*"(?P<group>[\w.-]+)"', re.MULTILINE)
_GROUP_LITERAL = re.compile(r'GroupVersion\{Group:\s*"(?P<group>[\w.-]+)"(?:,\s*Version:\s*"(?P<version>\w+)")?')
# NewByLabel(DecodeRoleType, RoleLabel, true, RoleDecode, RoleBoth)
_ROLES = re.compile(r"NewByLabel\(DecodeRoleType,\s*RoleLabel,\s*\w+,\s*(?P<roles>[\w, ]+)\)")
_ROLE = re.compile(r'^(?P<comment>(?:\s*//.*\n)*)\s*(?P<name>Role\w+)\s*=\s*"(?P<value>[\w.-]+)"', re.MULTILINE)
_ENTRY_POINT = re.compile(r"^ENTRYPOINT (?P<words>\[.*\])", re.MULTILINE)

# Flags that controller-runtime's logger adds (zap.Options.BindFlags).
_ZAP = ("zap-devel", "zap-encoder", "zap-log-level", "zap-stacktrace-level", "zap-time-encoding")


def flags(root: Path, folders: Iterable[str]) -> tuple[list[str], list[str]]:
    """All flags declared in these folders, and the deprecated ones."""
    flag_names: set[str] = set()
    deprecated: set[str] = set()
    for text in _source_texts(root, folders):
        names = {match["name"]: match["value"] for match in _NAME.finditer(text)}
        for pattern, into in ((_FLAG, flag_names), (_DEPRECATED, deprecated)):
            into |= {match["name"] or names.get(match["constant"], "") for match in pattern.finditer(text)} - {""}
        if "BindFlags(" in text:
            flag_names |= set(_ZAP)
    return sorted(flag_names), sorted(deprecated & flag_names)


def plugins(root: Path, registers: Iterable[str], folders: Iterable[str]) -> list[str]:
    """Plugin types that the files `registers` register; their names are constants somewhere below `folders`."""
    constants: dict[str, set[tuple[str, str]]] = {}
    for text in _source_texts(root, folders):
        package = _PACKAGE.search(text)
        for match in _CONSTANT.finditer(text):
            constants.setdefault(match["name"], set()).add((package["name"] if package else "", match["value"]))
    names: set[str] = set()
    for file in registers:
        for match in _REGISTERED.finditer((root / file).read_text(encoding="utf-8")):
            values = constants.get(match["constant"], set())
            # An import may have another name than its package: then the constant's own name has to be enough.
            exact = {value for package, value in values if package == match["package"]}
            names |= exact or {value for _, value in values}
    return sorted(names)


def labels(root: Path, folders: Iterable[str]) -> list[str]:
    """Labels by which a program finds the objects that it manages."""
    return sorted({match["label"] for text in _source_texts(root, folders) for match in _LABEL.finditer(text)})


def switched_on(root: Path, folders: Iterable[str]) -> list[str]:
    """Boolean flags that are on by default."""
    names: set[str] = set()
    for text in _source_texts(root, folders):
        names |= {match["name"] for match in _ON.finditer(text)}
        on = {match["field"] for match in _ON_FIELD.finditer(text)}
        names |= {match["name"] for match in _FIELD_FLAG.finditer(text) if match["field"] in on}
    return sorted(names)


def metrics(root: Path, folders: Iterable[str]) -> tuple[list[str], list[str]]:
    """All metrics registered in these folders, and the deprecated ones."""
    texts = [*_source_texts(root, folders)]
    constants = {match["name"]: match["value"] for text in texts for match in _COMPONENT.finditer(text)}
    names: set[str] = set()
    older: set[str] = set()
    for text in texts:
        for match in _METRIC.finditer(text):
            subsystem = match["subsystem"]
            while subsystem in constants:
                subsystem = constants[subsystem]
            name = f"{subsystem.strip(chr(34))}_{match['name']}"
            names.add(name)
            if "deprecated" in (match["help"] or "").lower():
                older.add(name)
        names |= {match["name"] for match in _DESCRIBED.finditer(text)}
    return sorted(names), sorted(older)


def config_apis(root: Path) -> tuple[list[str], list[str]]:
    """All API versions of a program's configuration file, and the deprecated ones."""
    own = [
        f"{match['group']}/{file.parent.name}"
        for file in sorted(root.glob("apix/config/*/zz_generated.register.go"))
        for match in _GROUP.finditer(file.read_text(encoding="utf-8"))
    ]
    older = [
        f"{match['group']}/{match['version']}"
        for text in _source_texts(root, ("pkg/epp/config/loader",))
        for match in _GROUP_LITERAL.finditer(text)
        if match["version"]
    ]
    return sorted({*own, *older}), sorted(set(older))


def objective_groups(root: Path) -> list[str]:
    """API groups in which a picker looks for InferenceObjectives."""
    if not (root / "pkg/epp/server").is_dir():
        return []
    names = {
        match["group"]
        for file in root.glob("apix/v1alpha2/zz_generated.register.go")
        for match in _GROUP.finditer(file.read_text(encoding="utf-8"))
    }
    for text in _source_texts(root, ("pkg/epp/server",)):
        names |= {match["group"] for match in _GROUP_LITERAL.finditer(text)}
    return sorted(names)


def roles(root: Path, folders: Iterable[str]) -> tuple[list[str], list[str]]:
    """Values of the role label with which a picker accepts a pod for decoding, and the deprecated ones."""
    for text in _source_texts(root, folders):
        named = _ROLES.search(text)
        if named is None:
            continue
        values = {match["name"]: match["value"] for match in _ROLE.finditer(text)}
        old = {match["name"] for match in _ROLE.finditer(text) if "Deprecated:" in match["comment"]}
        accepted = [name.strip() for name in named["roles"].split(",")]
        return sorted(values[name] for name in accepted), sorted(values[name] for name in accepted if name in old)
    return [], []


def entry_point(root: Path, file: str) -> list[str]:
    """The entry point of the image that a Dockerfile builds last; nothing where there is no such file."""
    place = root / file
    entry_points = [*_ENTRY_POINT.finditer(place.read_text(encoding="utf-8"))] if place.exists() else []
    return list(json.loads(entry_points[-1]["words"])) if entry_points else []


def _source_texts(root: Path, folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        place = root / folder
        if not place.exists():
            continue
        files = [place] if place.is_file() else sorted(place.rglob("*.go"))
        for file in files:
            if not file.name.endswith("_test.go"):
                yield file.read_text(encoding="utf-8", errors="replace")
