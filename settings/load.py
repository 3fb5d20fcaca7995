"""The one place that touches `pulumi.Config`: stack configuration as plain values, and which of it came encrypted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from settings.stack import StackSettings

NAMESPACE = "llm-d"

# Declared in Pulumi.yaml with an empty default so that a missing value is this program's finding, with its fix.
_UNSET: tuple[object, ...] = ("", [], {})


@dataclass(frozen=True, kw_only=True)
class RawSettings:
    """Configuration as given, not yet checked.

    `values` holds the top-level keys without their namespace; `encrypted` names those of them that Pulumi keeps
    encrypted, in whole or in part.
    """

    stack: str
    values: Mapping[str, Any]
    encrypted: frozenset[str] = frozenset()


def keys() -> tuple[str, ...]:
    """Every top-level key a stack file may hold, as written there."""
    return tuple(str(field.alias or name) for name, field in StackSettings.model_fields.items())


def read() -> RawSettings:
    """Read the running stack's configuration.

    Unknown keys are kept, so that the check can name them. `gcp:project` stands in for a missing `llm-d:project`.
    """
    prefix = f"{NAMESPACE}:"
    given = {key.removeprefix(prefix): text for key, text in _all_config().items() if key.startswith(prefix)}
    values = {key: _value(text) for key, text in given.items()}
    # An unknown key stays even when it is empty: the check has to name it.
    declared = frozenset(keys())
    values = {key: value for key, value in values.items() if key not in declared or value not in _UNSET}
    if "project" not in values and (project := pulumi.Config("gcp").get("project")):
        values["project"] = project
    encrypted = frozenset(key for key in given if pulumi.runtime.is_config_secret(prefix + key))
    return RawSettings(stack=pulumi.get_stack(), values=values, encrypted=encrypted)


def _all_config() -> dict[str, str]:
    # The language host passes everything in the environment, an embedding program through the SDK's own state;
    # the public `pulumi.Config` can read a key by name but not list them, which unknown keys need.
    from pulumi.runtime import config

    return {**config.get_config_env(), **config.CONFIG.get()}


def _value(text: str) -> Any:
    # Objects arrive as JSON, scalars as their text: `3`, `true` and `us-central1-a` alike.
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
