"""Where each stage of a request runs: one place for all of it, or one for decode and one for prefill.

A stage's place is a `Site` like any other, with the settings its servers see; so everything that follows from a site
(memory, capacity, pools, cost) follows for each stage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from catalog.release import Release
from planning.context import Findings, PlanContext, resolve_context
from planning.findings import Finding, path_of
from settings import StackSettings
from settings.disaggregation import PrefillSettings
from settings.models import ModelSettings

PATTERN = "disaggregated"

# Key-value blocks are what NIXL transfers: llm-d's guide for prefill and decode makes them larger than vLLM's own 16.
_GPU_BLOCK = 128


class _PrefillFindings(Findings):
    """Findings about prefill servers under the keys that set them; what decode's servers say as well is said once."""

    def __init__(self, findings: Findings, keys: Mapping[str, str]) -> None:
        super().__init__()
        self._all, self._keys = findings, keys

    def append(self, finding: Finding) -> None:
        if finding in self._all:
            return
        for key, own in self._keys.items():
            if finding.path == key or finding.path.startswith(f"{key}."):
                finding = replace(finding, path=own + finding.path.removeprefix(key))
            # A fix that names the setting means the one of prefill's own.
            name, owner = key.rpartition(".")[2], own.rpartition(".")[0]
            if owner.endswith(".prefill"):
                finding = replace(finding, fix=re.sub(rf"(?<![\w.]){name}: ", f"prefill.{name}: ", finding.fix))
        if finding not in self._all:
            self._all.append(finding)


def stages_of(ctx: PlanContext) -> tuple[PlanContext, ...] | None:
    """The site itself, or of pattern disaggregated those of decode and of prefill.

    Requests arrive at the first. None where too little is known of the second to plan on.
    """
    if ctx.settings.pattern != PATTERN:
        return (ctx,)
    release = _release(ctx.release)
    decode = replace(ctx, settings=_decode(ctx), release=release, role="decode")
    prefill = resolve_context(
        ctx.stack, _prefill(ctx), ctx.catalog, _PrefillFindings(ctx.findings, _keys(decode.settings))
    )
    return None if prefill is None else (decode, replace(prefill, release=release, role="prefill"))


def _release(release: Release) -> Release:
    """With the picker that can send the two stages to different pods, where the release's own cannot."""
    able = release.disaggregation
    return release if able is None or able.picker is None else release.model_copy(update={"picker": able.picker})


def _decode(ctx: PlanContext) -> StackSettings:
    if ctx.accelerator.kind != "gpu":
        return ctx.settings
    models = [model.model_copy(update={"block_size": model.block_size or _GPU_BLOCK}) for model in ctx.settings.models]
    return ctx.settings.model_copy(update={"models": tuple(models)})


def _prefill(ctx: PlanContext) -> StackSettings:
    settings = _decode(ctx)
    other = settings.prefill_accelerator
    models = tuple(_prefill_model(model, elsewhere=other is not None) for model in settings.models)
    return settings.model_copy(update={"models": models, "accelerator": other or settings.accelerator})


def _prefill_model(model: ModelSettings, *, elsewhere: bool) -> ModelSettings:
    own = model.prefill or PrefillSettings()
    given = {key: value for key in PrefillSettings.model_fields if (value := getattr(own, key)) is not None}
    # On machines of another size, by default all of one.
    return model.model_copy(update=({"tensor_parallel": None} if elsewhere else {}) | given)


def _keys(settings: StackSettings) -> dict[str, str]:
    """What a finding of a prefill server is about: its own key where one is given, or where its machine is another."""
    elsewhere = settings.prefill_accelerator is not None
    keys = {path_of("accelerator"): path_of("prefillAccelerator")} if elsewhere else {}
    for index, model in enumerate(settings.models):
        for name, field in PrefillSettings.model_fields.items():
            if elsewhere or getattr(model.prefill, name, None) is not None:
                key = field.alias or name
                keys[path_of("models", index, key)] = path_of("models", index, "prefill", key)
    return keys
