"""A stack's configuration for a rehearsal: the stack file as it is, with stand-ins for what only a cloud user has."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import catalog

NAMESPACE = "llm-d"
EXAMPLES = "examples"
PROJECT = "rehearsal-project"
TOKEN = "hf_rehearsal_stand_in"  # noqa: S105 - opens nothing
RELEASE = "gaie-1.5"

# What Pulumi writes beside the configuration to decrypt secrets with: a rehearsal has its own.
_ENCRYPTION = ("encryptionsalt", "encryptedkey", "secretsprovider")


class ConfigurationError(Exception):
    """The stack file, or an override, cannot be read. The message says where and how to fix it."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """`values` by full key (`llm-d:models`), plain; `secret` are the paths below them that are kept encrypted.

    `differences` say what was put in place of what the stack file does not hold.
    """

    values: Mapping[str, Any]
    secret: Mapping[str, str]
    differences: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """All values by full key, the secret parts in place."""
        values = copy.deepcopy(dict(self.values))
        for path, value in self.secret.items():
            put(values, path, value)
        return values

    def settings(self) -> dict[str, Any]:
        """What the program reads as settings: its own values without their namespace, the secret parts in place."""
        prefix = f"{NAMESPACE}:"
        return {key.removeprefix(prefix): value for key, value in self.plain().items() if key.startswith(prefix)}

    def encrypted(self) -> frozenset[str]:
        """Which keys of the settings are encrypted, in whole or in part."""
        return frozenset(key.removeprefix(f"{NAMESPACE}:") for key in self.secret_keys())

    def texts(self) -> dict[str, str]:
        """As a program gets it: objects as JSON."""
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in self.plain().items()}

    def secret_keys(self) -> tuple[str, ...]:
        return tuple(sorted({segments(path)[0] for path in self.secret if isinstance(segments(path)[0], str)}))  # type: ignore[misc]

    def digest(self) -> str:
        return hashlib.sha256(json.dumps([self.values, self.secret], sort_keys=True, default=str).encode()).hexdigest()


def stack_file(root: Path, stack: str) -> Path:
    """The stack's file in the project, or else among its examples.

    Raises ConfigurationError naming the stacks there are.
    """
    folders = (root, root / EXAMPLES)
    name = f"Pulumi.{stack}.yaml"
    found = next((folder / name for folder in folders if (folder / name).exists()), None)
    if found is None:
        files = [file for folder in folders for file in folder.glob("Pulumi.*.yaml")]
        known = sorted({file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files})
        raise ConfigurationError(f"there is no stack {stack!r}: {name} is missing. Stacks here: {', '.join(known)}")
    return found


def load(
    root: Path, stack: str, overrides: Mapping[str, str] | None = None, *, own_release: bool = False
) -> Configuration:
    """Read a stack's file, apply overrides (`llm-d:accelerator.nodes.max` -> `5`), put stand-ins where needed.

    `own_release` keeps the stack's release also where this machine could not run it.
    """
    text = stack_file(root, stack).read_text(encoding="utf-8")
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"Pulumi.{stack}.yaml is not YAML: {error}") from error
    values: dict[str, Any] = copy.deepcopy(document.get("config") or {})
    for path, value in (overrides or {}).items():
        put(values, path, _scalar(value))
    secret, differences = _stand_ins(values, own_release)
    return Configuration(values=values, secret=secret, differences=tuple(differences))


def _stand_ins(values: dict[str, Any], own_release: bool) -> tuple[dict[str, str], list[str]]:
    secret: dict[str, str] = {}
    differences = []
    if not values.get(f"{NAMESPACE}:project"):
        values[f"{NAMESPACE}:project"] = PROJECT
        differences.append(f"project: {PROJECT} stands in for a Google Cloud project")
    asked, rehearsed = values.get(f"{NAMESPACE}:release"), _release(values)
    if not own_release and os.environ.get("REHEARSAL_EPP") is None and asked != rehearsed:
        values[f"{NAMESPACE}:release"] = rehearsed
        differences.append(
            f"release: {rehearsed} instead of {asked or 'the default release'}, because its endpoint picker can be"
            " built here (REHEARSAL_EPP=<binary> rehearses another)"
        )
    for path in _encrypted(values):
        secret[path] = TOKEN
        differences.append(f"{path}: the encrypted value stays closed, a stand-in takes its place")
    hugging_face = f"{NAMESPACE}:huggingFace"
    given = values.get(hugging_face)
    if not isinstance(given, dict) or not given:
        values[hugging_face] = {}
        secret[f"{hugging_face}.token"] = TOKEN
        differences.append(f"{hugging_face}.token: a stand-in; nothing is downloaded")
    return secret, differences


def _release(values: Mapping[str, Any]) -> str:
    """The release to rehearse: as asked, or another one whose picker can be built and knows the pattern's stages."""
    stages = values.get(f"{NAMESPACE}:pattern") == "disaggregated"
    able = {
        name: release.rehearsable and (release.disaggregation is not None or not stages)
        for name, release in catalog.load().releases.items()
    }
    asked = values.get(f"{NAMESPACE}:release")
    choices = [asked, RELEASE, *able]
    return next((name for name in choices if isinstance(name, str) and able.get(name)), RELEASE)


def _encrypted(values: dict[str, Any]) -> list[str]:
    """Paths of `secure:` values, which are taken out: they were encrypted with somebody else's key."""
    found: list[str] = []

    def walk(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            if set(value) == {"secure"}:
                found.append(path)
                return None
            kept = {key: walk(item, f"{path}.{key}" if path else key) for key, item in value.items()}
            return {key: item for key, item in kept.items() if item is not None}
        if isinstance(value, list):
            return [walk(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return value

    kept = walk(values, "")
    values.clear()
    values.update(kept)
    return found


def segments(path: str) -> list[str | int]:
    """Pulumi's path syntax: `llm-d:models[0].maxModelLen` -> `["llm-d:models", 0, "maxModelLen"]`."""
    parts: list[str | int] = []
    for quoted, index, name in re.findall(r'\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        parts.append(int(index) if index else quoted or name)
    if not parts or not isinstance(parts[0], str):
        raise ConfigurationError(f"{path!r} is not a configuration path: write llm-d:key.part[0]")
    # As on Pulumi's own command line, a key without namespace is the project's.
    if ":" not in parts[0]:
        parts[0] = f"{NAMESPACE}:{parts[0]}"
    return parts


def put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set one value by its path, making what is missing on the way. Raises ConfigurationError for a wrong path."""
    parts = segments(path)
    target: Any = values
    for position, part in enumerate(parts):
        last = position == len(parts) - 1
        empty: Any = [] if not last and isinstance(parts[position + 1], int) else {}
        if isinstance(part, int):
            if not isinstance(target, list) or part > len(target):
                raise ConfigurationError(f"{path}: there is no element {part} to set or to append to")
            if part == len(target):
                target.append(value if last else empty)
            elif last:
                target[part] = value
        elif not isinstance(target, dict):
            raise ConfigurationError(f"{path}: {part} is set on a value that has no keys")
        elif last:
            target[part] = value
        else:
            target.setdefault(part, empty)
        if not last:
            target = target[part]


def _scalar(text: str) -> Any:
    """As `pulumi config set --path` reads a value: numbers and booleans by their form."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, bool | int | float | dict | list) else text
