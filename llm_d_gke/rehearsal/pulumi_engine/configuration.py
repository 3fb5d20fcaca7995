"""A stack's configuration for a local run: the stack file, with substitutes for values that only a cloud user has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from llm_d_gke import catalog, stackfile
from llm_d_gke.catalog.release import PickerRelease, Release
from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.planning.routing.api_paths import API_PATHS
from llm_d_gke.rehearsal.toolchain.pickers import is_available
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import NAMESPACE, StackConfig
from llm_d_gke.stackfile.assumptions import clients_without_keys, lacks_token

PROJECT = "rehearsal-project"
TOKEN = "hf_rehearsal_stand_in"  # noqa: S105 - opens nothing

# Changes of `picker` under which a substitute is looked for: none, and without a setting that substitutes may lack.
_CHANGES: tuple[Mapping[str, Any], ...] = ({}, {"maxConcurrency": None})

# Whether a rehearsal has a picker: `pickers.is_available`, or `pickers.obtain`, which queries the Go module proxy.
Available = Callable[[PickerRelease], bool]


def load(
    root: Path,
    stack: str,
    overrides: Mapping[str, str] | None = None,
    *,
    own_release: bool = False,
    available: Available = is_available,
) -> StackConfig:
    """Read a stack's configuration and substitute project, token, encrypted values, and a picker that can run here.

    Everything else comes from the stack's release. `own_release` keeps its picker too. The notes name every
    substitute. Raises StackFileError.
    """
    config = stackfile.load(root, stack, overrides)
    settings = config.settings()
    values, notes = dict(config.values), []
    secrets = dict.fromkeys(config.secrets, TOKEN)
    if not settings.get("project"):
        values[f"{NAMESPACE}:project"] = PROJECT
        notes.append(f"project: {PROJECT} is used instead of a Google Cloud project")
    notes += [f"{path}: the encrypted value is not read, and a substitute is used" for path in secrets]
    hugging_face = f"{NAMESPACE}:huggingFace"
    if lacks_token(settings):
        values[hugging_face] = {}
        secrets[f"{hugging_face}.token"] = TOKEN
        notes.append(f"{hugging_face}.token: a substitute is used; nothing is downloaded")
    if clients := clients_without_keys(settings):
        names = list(dict.fromkeys([*clients, "rehearsal"]))
        values[f"{NAMESPACE}:apiKeys"] = {}
        secrets |= {f"{NAMESPACE}:apiKeys.{name}": f"{TOKEN}_{number}" for number, name in enumerate(names)}
        notes.append(f"{NAMESPACE}:apiKeys: substitutes are used for {', '.join(names)}")
    registry = settings.get("registry")
    if not own_release and isinstance(registry, dict) and registry.get("mirrors"):
        values[f"{NAMESPACE}:registry"] = {key: value for key, value in registry.items() if key != "mirrors"}
        notes.append("registry.mirrors: nothing is pulled here, and charts come from their own registries' names")
    models = settings.get("models")
    for index, model in enumerate(models if isinstance(models, list) else ()):
        if isinstance(model, dict) and (image := model.get("image")):
            notes.append(f"llm-d:models[{index}].image: nothing is pulled here, so whether {image} exists is not known")
    prepared = replace(config, values=values, secrets=secrets, notes=tuple(notes))
    return prepared if own_release else _with_picker(stack, prepared, available)


def _with_picker(stack: str, config: StackConfig, available: Available) -> StackConfig:
    """The configuration with a picker that can run here: its own, or the nearest one that the stack can use."""
    settings = config.settings()
    picker = settings.get("picker") or {}
    named = settings.get("release") or StackSettings.model_fields["release"].default
    release = catalog.load().releases.get(str(named))
    if release is None or not isinstance(picker, dict) or "release" in picker:
        return config  # planning reports what is wrong
    needed = _picker_of(release, settings)
    if available(needed):
        return config
    choices = [
        replace(
            config,
            values={**config.values, f"{NAMESPACE}:picker": {**picker, **left_out, "release": name}},
            notes=(
                f"picker: {_picker_of(other, settings).version} of {name} runs instead of {needed.version} of"
                f" {release.name}, which no Go module here provides; everything else is {release.name}",
                *(f"picker.{key} is left out: {name} cannot have it" for key in left_out),
                *_closed_paths(settings, needed, _picker_of(other, settings)),
                *config.notes,
            ),
        )
        for left_out in _CHANGES
        if left_out.keys() <= picker.keys()
        for name in release.substitute_pickers
        if available(_picker_of(other := catalog.load().releases[name], settings))
    ]
    return next((choice for choice in choices if _is_planned(stack, choice)), choices[0] if choices else config)


def _closed_paths(settings: Mapping[str, Any], own: PickerRelease, substitute: PickerRelease) -> Iterator[str]:
    """A sentence about the request paths that only the stack's own picker takes."""
    gateway = settings.get("gateway")
    added = gateway.get("paths") if isinstance(gateway, dict) else None
    paths = [*(path.value for path in API_PATHS), *(map(str, added) if isinstance(added, list) else ())]
    pickers = catalog.load().pickers
    closed = [path for path in paths if pickers[own.build].takes(path) and not pickers[substitute.build].takes(path)]
    if closed:
        are, them = ("is", "it") if len(closed) == 1 else ("are", "them")
        yield (
            f"request paths: {', '.join(closed)} {are} closed here: picker {substitute.version} does not take requests"
            f" for {them}, and {own.version} does"
        )


def _is_planned(stack: str, config: StackConfig) -> bool:
    """Whether planning succeeds with this configuration: a picker may lack a feature that the stack uses."""
    try:
        plan_config(stack, config)
    except RefusedError:
        return False
    return True


def _picker_of(release: Release, settings: Mapping[str, Any]) -> PickerRelease:
    """The picker that a release runs for the stack's pattern."""
    disaggregation = release.disaggregation if settings.get("pattern") == "disaggregated" else None
    return release.picker if disaggregation is None or disaggregation.picker is None else disaggregation.picker
