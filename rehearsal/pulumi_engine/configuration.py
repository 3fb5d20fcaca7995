"""A stack's configuration for a local run: the stack file, with substitutes for what only a cloud user has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import catalog
import stackfile
from settings import StackSettings
from stackfile import NAMESPACE, StackConfig

PROJECT = "rehearsal-project"
TOKEN = "hf_rehearsal_stand_in"  # noqa: S105 - opens nothing
RELEASE = "gaie-1.5"


def load(
    root: Path, stack: str, overrides: Mapping[str, str] | None = None, *, own_release: bool = False
) -> StackConfig:
    """Read a stack's configuration and substitute project, token, encrypted values, and a release that can run here.

    `own_release` keeps the stack's release also where this machine cannot run it. The notes name every substitute.
    Raises StackFileError.
    """
    config = stackfile.load(root, stack, overrides)
    settings = config.settings()
    values, notes = dict(config.values), []
    secrets = dict.fromkeys(config.secrets, TOKEN)
    if not settings.get("project"):
        values[f"{NAMESPACE}:project"] = PROJECT
        notes.append(f"project: {PROJECT} is used instead of a Google Cloud project")
    requested, rehearsed = settings.get("release"), _release(settings)
    if not own_release and os.environ.get("REHEARSAL_EPP") is None and requested != rehearsed:
        values[f"{NAMESPACE}:release"] = rehearsed
        notes.append(
            f"release: {rehearsed} instead of {requested or 'the default release'}, because its endpoint picker can be"
            " built here (REHEARSAL_EPP=<binary> runs another)"
        )
    notes += [f"{path}: the encrypted value is not read, and a substitute is used" for path in secrets]
    hugging_face = f"{NAMESPACE}:huggingFace"
    if "huggingFace" not in settings:
        values[hugging_face] = {}
        secrets[f"{hugging_face}.token"] = TOKEN
        notes.append(f"{hugging_face}.token: a substitute is used; nothing is downloaded")
    return replace(config, values=values, secrets=secrets, notes=tuple(notes))


def _stated(settings: Mapping[str, Any]) -> str:
    """The release that the stack file asks for, or the default of the settings."""
    return str(settings.get("release") or StackSettings.model_fields["release"].default)


def _release(settings: Mapping[str, Any]) -> str:
    """The release to run: the stack's, or else one whose picker can be built and supports the stack's pattern."""
    disaggregated = settings.get("pattern") == "disaggregated"
    runnable = {
        name: release.rehearsable and (release.disaggregation is not None or not disaggregated)
        for name, release in catalog.load().releases.items()
    }
    choices = [_stated(settings), RELEASE, *runnable]
    return next((name for name in choices if runnable.get(name)), RELEASE)
