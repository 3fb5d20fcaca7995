"""Placeholders for values that a versioned stack file often omits: a project, a Hugging Face token and API keys.

Without them nothing else could be judged, so tools that only read may assume them. Every assumption is a note.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.stackfile.config import StackConfig
from llm_d_gke.stackfile.project import NAMESPACE, PROJECT_ROOT
from llm_d_gke.stackfile.reader import load
from llm_d_gke.wording import wrapped

ASSUMED_PROJECT = "project-not-set"
ASSUMED_TOKEN = "hf_not_set"  # noqa: S105 - grants no access
ASSUMED_KEY = "api-key-that-was-not-set"
_KEYS = f"{NAMESPACE}:apiKeys"
_HUB = "hugging-face"
_PROJECT, _HUGGING_FACE = f"{NAMESPACE}:project", f"{NAMESPACE}:huggingFace"


def shown_project(text: str) -> str:
    """A project, or text with it, to copy: with a word to replace where the stack file has none."""
    return text.replace(ASSUMED_PROJECT, "PROJECT")


def project_note(project: str) -> str:
    """A sentence below commands with the word PROJECT. Empty where the stack file has a project."""
    if project != ASSUMED_PROJECT:
        return ""
    return "PROJECT: the stack file has none. Set llm-d:project, or replace the word."


def clients_without_keys(settings: Mapping[str, Any]) -> list[str]:
    """Names for the API keys that the stack file omits: of each client with a priority, and of an invented one."""
    gateway = settings.get("gateway")
    gateway = gateway if isinstance(gateway, dict) else {}
    auth = gateway.get("auth")
    asks = (
        isinstance(auth, dict)
        and auth.get("kind") == "api-keys"
        and not {"existingSecret", "secretManagerSecret"} & auth.keys()
    )
    if not asks or "apiKeys" in settings:
        return []
    priorities = gateway.get("priorities")
    return list(dict.fromkeys([*(priorities if isinstance(priorities, dict) else ()), "example-client"]))


def lacks_token(settings: Mapping[str, Any]) -> bool:
    """Whether a stack file omits a token that a model of its needs: the Hub gives gated ones to accounts alone."""
    models = settings.get("models")
    return "huggingFace" not in settings and any(map(_is_gated, models if isinstance(models, list) else ()))


def _is_gated(model: object) -> bool:
    """Whether the Hub, if the model comes from there, asks for a token."""
    if not isinstance(model, dict) or not isinstance(model.get("id"), str):
        return False
    source, entry = model.get("source"), catalog.load().find_model(model["id"])
    kind = source.get("kind", _HUB) if isinstance(source, dict) else _HUB
    return kind == _HUB and entry is not None and entry.gated


def load_assumed(stack: str, overrides: Mapping[str, str] | None = None, root: Path = PROJECT_ROOT) -> StackConfig:
    """Read a stack's configuration; a project and a token are assumed where it has none. Raises StackFileError.

    What cannot be read of its ESC environments is printed as an error is: it may change every answer.
    """
    return assume_unset(load_written(stack, overrides, root))


def load_written(stack: str, overrides: Mapping[str, str] | None = None, root: Path = PROJECT_ROOT) -> StackConfig:
    """The same without what is assumed."""
    config = load(root, stack, overrides)
    for note in config.notes:
        _warn(stack, note)
    return config


@functools.cache
def _warn(stack: str, note: str) -> None:
    """Print a note once in the life of a command."""
    print(wrapped(f"{stack}: {note}"), file=sys.stderr)


def assume_unset(config: StackConfig) -> StackConfig:
    """The same configuration with a project, a token and API keys where it needs one and has none.

    A token that is not needed would be a Secret, and a variable of the servers, that the stack on GKE does not have.
    """
    settings = config.settings()
    values, secrets, notes = dict(config.values), dict(config.secrets), list(config.notes)
    if "project" not in settings:
        values[_PROJECT] = ASSUMED_PROJECT
        notes.append(f"{_PROJECT} is not set; {ASSUMED_PROJECT} is assumed")
    if lacks_token(settings):
        secrets[f"{_HUGGING_FACE}.token"] = ASSUMED_TOKEN
        values[_HUGGING_FACE] = {}
        notes.append(f"{_HUGGING_FACE}.token is not set; a token is assumed")
    if clients := clients_without_keys(settings):
        secrets |= {f"{_KEYS}.{client}": f"{ASSUMED_KEY}-{number}" for number, client in enumerate(clients)}
        values[_KEYS] = {}
        notes.append(f"{_KEYS} is not set; keys are assumed for {', '.join(clients)}")
    notes += [f"{path} is encrypted and not read" for path in config.secrets]
    return replace(config, values=values, secrets=secrets, notes=tuple(notes))
