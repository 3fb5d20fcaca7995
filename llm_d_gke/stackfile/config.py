"""A stack's configuration as plain values."""

from __future__ import annotations

import copy
import datetime
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from llm_d_gke.settings.stack import top_level_keys
from llm_d_gke.stackfile.document import Keys, has_line, line_of
from llm_d_gke.stackfile.paths import contains, put, segments
from llm_d_gke.stackfile.places import places_of
from llm_d_gke.stackfile.project import NAMESPACE, PROJECT_ROOT

# Pulumi.yaml declares every key with an empty default, so that the program reports a missing value with its fix.
UNSET: tuple[object, ...] = ("", [], {})


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """The configuration of one stack.

    `values` are the stack file's, with overrides, by full key (`llm-d:models`). `secrets` holds, by path, a text for
    each value that is encrypted in the file: the plain text is not known here. `defaults` are Pulumi.yaml's, by path.
    `notes` name every value that is not the stack file's own, one sentence each. `file` is the stack file in
    the project at `root`, and `overridden` are the paths with another value than in it: of `-c`, or of the option that
    `options` names by path.
    """

    values: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    file: Path | None = None
    root: Path = PROJECT_ROOT
    overridden: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    def place_of(self, path: str) -> str | None:
        """File and line of a setting in a finding, or its option on the command line. None where neither is known."""
        override = next(
            (key for key in self.overridden if path == key or path.startswith((f"{key}.", f"{key}["))), None
        )
        if override is not None:
            return self.options.get(override, "-c")
        # A group that only the command line begins.
        if any(key.startswith((f"{path}.", f"{path}[")) for key in self.overridden) and not has_line(
            self._places, path
        ):
            return "-c"
        return line_of(self._places, path)

    @cached_property
    def _places(self) -> Mapping[Keys, str]:
        # Plain values: a configuration goes to other processes. A base of the command line is none of the file's.
        if self.file is None or f"{NAMESPACE}:base" in self.overridden:
            return {}
        return places_of(self.file, self.root)

    def plain(self) -> dict[str, Any]:
        """All values by full key: the secret ones in place, and a default wherever the stack file has no value."""
        values = copy.deepcopy(dict(self.values))
        for path, value in self.secrets.items():
            put(values, path, value)
        # Pulumi sets a default only where nothing is set at its path. It merges no maps.
        for path, value in self.defaults.items():
            if not contains(values, path):
                put(values, path, copy.deepcopy(value))
        return values

    def settings(self) -> dict[str, Any]:
        """The program's settings by key without namespace, exactly as the program reads them from Pulumi."""
        return program_settings(self.texts())

    def encrypted(self) -> frozenset[str]:
        """Keys of the settings that are encrypted, in whole or in part."""
        return frozenset(key.removeprefix(f"{NAMESPACE}:") for key in self.secret_keys())

    def texts(self) -> dict[str, str]:
        """All values by full key as the engine passes them to a program: objects as JSON."""
        return {key: as_text(value) for key, value in self.plain().items()}

    def secret_keys(self) -> tuple[str, ...]:
        """Full keys that are encrypted, in whole or in part, sorted."""
        return tuple(sorted({str(segments(path)[0]) for path in self.secrets}))

    def digest(self) -> str:
        """Changes when a value, a secret or a default changes."""
        content = json.dumps([self.values, self.secrets, self.defaults], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()


# Providers and parts of Pulumi that read settings under their own names.
_PROVIDERS = ("gcp", "googlenative", "kubernetes", "pulumi", "random", "tls", "command", "docker", "aws", "azure")


def program_settings(
    texts: Mapping[str, str], merged: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> dict[str, Any]:
    """Settings by key without namespace, out of configuration texts by full key. `merged` adds those of a base.

    Empty values of declared keys count as missing. Unknown keys stay even when empty, so that a check can name them.
    `gcp:project` takes the place of a missing `llm-d:project`. Settings of providers that say something else than this
    program's, or that its own providers do not read, stay with their full key.
    """
    prefix = f"{NAMESPACE}:"
    values = {key.removeprefix(prefix): _parsed(text) for key, text in texts.items() if key.startswith(prefix)}
    # A misspelled namespace keeps its name, so that the check reports it.
    values |= {key: _parsed(text) for key, text in texts.items() if is_misspelled(key)}
    declared = frozenset(top_level_keys())
    values = merged({key: value for key, value in values.items() if key not in declared or value not in UNSET})
    if "project" not in values and (project := texts.get("gcp:project")):
        values["project"] = project
    return values | _of_providers(texts, values)


# Settings of the default providers, which this program does not use: its providers get all their arguments from it.
UNREAD = (
    "gcp:accessToken",
    "gcp:credentials",
    "gcp:defaultLabels",
    "gcp:impersonateServiceAccount",
    "gcp:billingProject",
    "gcp:userProjectOverride",
    "kubernetes:cluster",
    "kubernetes:context",
    "kubernetes:kubeconfig",
    "kubernetes:namespace",
)


def _of_providers(texts: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """Provider settings that contradict this program's or are never read, by full key."""
    place = str(values.get("location", ""))
    region, zone = place.rsplit("-", 1)[0] if place.count("-") > 1 else place, place
    used = {"gcp:project": values.get("project"), "gcp:region": region, "gcp:zone": zone if place != region else None}
    contradicting = {key: text for key, own in used.items() if own and (text := texts.get(key)) and text != own}
    return contradicting | {key: text for key in UNREAD if (text := texts.get(key))}


def is_misspelled(key: str) -> bool:
    """Whether a key's namespace is probably a misspelling of this program's: `llmd:`, `llm_d:`, `LLM-D:`."""
    namespace, colon, name = key.partition(":")
    if not colon or namespace == NAMESPACE:
        return False
    letters = "".join(sign for sign in namespace.lower() if sign.isalnum())
    if letters in ("llmd", "llmdgke", "lmd", "lld", "llm", "lmmd"):
        return True
    # Of a namespace that is no provider's, a setting of this program.
    return letters not in _PROVIDERS and name in top_level_keys()


def as_text(value: Any) -> str:
    """One value as the engine passes it to a program. A key without a value (`paused:`) is an empty text."""
    if value is None:
        return ""
    plain = _with_times_as_text(value)
    return plain if isinstance(plain, str) else json.dumps(plain, default=str)


def _with_times_as_text(value: Any) -> Any:
    """Days and times that YAML read from text without quotes, as RFC 3339 again, as Pulumi passes them on."""
    if isinstance(value, Mapping):
        return {key: _with_times_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_times_as_text(item) for item in value]
    if isinstance(value, datetime.datetime):
        in_utc = value.replace(tzinfo=value.tzinfo or datetime.UTC).astimezone(datetime.UTC)
        return in_utc.isoformat().replace("+00:00", "Z")
    return value


def _parsed(text: str) -> Any:
    # Objects arrive as JSON, scalars as their text: `3`, `true` and `us-central1-a` alike.
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
