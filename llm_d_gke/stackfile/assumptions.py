"""Placeholders for values that a versioned stack file often omits: a Google Cloud project and a Hugging Face token.

Without them nothing else could be judged, so tools that only read may assume them. Every assumption is a note.
"""

from __future__ import annotations

from dataclasses import replace

from llm_d_gke.stackfile.config import StackConfig
from llm_d_gke.stackfile.project import NAMESPACE

ASSUMED_PROJECT = "project-not-set"
ASSUMED_TOKEN = "hf_not_set"  # noqa: S105 - grants no access
_PROJECT, _HUGGING_FACE = f"{NAMESPACE}:project", f"{NAMESPACE}:huggingFace"


def shown_project(text: str) -> str:
    """A project, or text with it, to copy: with a word to replace where the stack file has none."""
    return text.replace(ASSUMED_PROJECT, "PROJECT")


def project_note(project: str) -> str:
    """A sentence below commands with the word PROJECT. Empty where the stack file has a project."""
    if project != ASSUMED_PROJECT:
        return ""
    return "PROJECT: the stack file has none. Set llm-d:project, or replace the word."


def assume_unset(config: StackConfig) -> StackConfig:
    """The same configuration with a project and a token where it has none."""
    settings = config.settings()
    values, secrets, notes = dict(config.values), dict(config.secrets), list(config.notes)
    if "project" not in settings:
        values[_PROJECT] = ASSUMED_PROJECT
        notes.append(f"{_PROJECT} is not set; {ASSUMED_PROJECT} is assumed")
    if "huggingFace" not in settings:
        secrets[f"{_HUGGING_FACE}.token"] = ASSUMED_TOKEN
        values[_HUGGING_FACE] = {}
        notes.append(f"{_HUGGING_FACE}.token is not set; a token is assumed")
    notes += [f"{path} is encrypted and not read" for path in config.secrets]
    return replace(config, values=values, secrets=secrets, notes=tuple(notes))
