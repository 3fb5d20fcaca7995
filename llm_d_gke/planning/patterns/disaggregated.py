"""Pattern `disaggregated`: prefill and decode are planned as separate sites.

A site is a `PlanContext` with the settings that its servers see. Memory, capacity, node pools and cost of each are
therefore planned by the code that plans a single one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_d_gke.catalog.release import Release
from llm_d_gke.planning.context import PlanContext, resolve_context
from llm_d_gke.planning.engine_support.attention import COMPRESSED_BLOCK, split_block_sizes
from llm_d_gke.planning.findings import Finding, Findings, path_of
from llm_d_gke.planning.patterns.base import Pattern
from llm_d_gke.planning.served_model import ServedModel, served_model
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.disaggregation import PrefillSettings
from llm_d_gke.settings.models import ModelSettings
from llm_d_gke.settings.stack import Pattern as Name

# Tokens. NIXL transfers whole blocks, and llm-d's guide for prefill and decode uses larger ones than vLLM's 16.
_GPU_BLOCK = 128


@dataclass(frozen=True)
class Disaggregated(Pattern):
    """One model on decode servers, which take requests, and on prefill servers, which compute long prompts for them."""

    name: Name = "disaggregated"
    transfers_kv_cache: bool = True

    def check_settings(self, settings: StackSettings, findings: Findings) -> None:
        """Every model has prefill and decode servers."""
        super().check_settings(settings, findings)
        for index, model in enumerate(settings.models):
            if model.prefill is None:
                findings.error("LLMD-PREFILL-MISSING", f"models[{index}].prefill", value="(missing)")
            if model.replicas < 1 and not settings.paused:
                findings.error("LLMD-DECODE-MISSING", f"models[{index}]", *model.replicas_path, value=model.replicas)

    def sites(self, ctx: PlanContext) -> tuple[PlanContext, ...] | None:
        """Decode and prefill. None if the accelerator of prefill cannot be resolved."""
        release = _release(ctx.release)
        decode = replace(ctx, settings=_decode(ctx), release=release, role="decode")
        prefill = resolve_context(
            ctx.stack,
            _prefill(ctx),
            ctx.catalog,
            _PrefillFindings(ctx.findings, _keys(decode.settings)),
            transfers_kv_cache=self.transfers_kv_cache,
        )
        return None if prefill is None else (decode, replace(prefill, release=release, role="prefill"))


class _PrefillFindings(Findings):
    """Findings about prefill servers, under the keys that set them and without those that decode servers have too."""

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
            name, new = (text.removeprefix(path_of("")).rpartition("].")[2] for text in (key, own))
            finding = replace(finding, fix=re.sub(rf"(?<![\w.]){name}(?=: |\.\w)", new, finding.fix))
        if finding not in self._all:
            self._all.append(finding)


def _release(release: Release) -> Release:
    """With a picker that can choose a prefill and a decode pod for one request."""
    disaggregation = release.disaggregation
    if disaggregation is None or disaggregation.picker is None:
        return release
    return release.model_copy(update={"picker": disaggregation.picker})


def _decode(ctx: PlanContext) -> StackSettings:
    if ctx.accelerator.kind != "gpu":
        return ctx.settings
    models = [
        model.model_copy(update={"block_size": model.block_size or _transferred_block(served_model(ctx, index))})
        for index, model in enumerate(ctx.settings.models)
    ]
    return ctx.settings.model_copy(update={"models": tuple(models)})


def _transferred_block(served: ServedModel) -> int:
    """No larger than the attention kernels' own, which transfers of some versions have to match."""
    model = served.model
    if model is None:
        return _GPU_BLOCK
    if model.compressed:
        return COMPRESSED_BLOCK
    _, sizes = split_block_sizes(served.deployment(model), _GPU_BLOCK)
    return max(sizes, default=_GPU_BLOCK)


def _prefill(ctx: PlanContext) -> StackSettings:
    settings = _decode(ctx)
    prefill_accelerator = settings.prefill_accelerator
    models = tuple(_prefill_model(model, elsewhere=prefill_accelerator is not None) for model in settings.models)
    return settings.model_copy(update={"models": models, "accelerator": prefill_accelerator or settings.accelerator})


def _prefill_model(model: ModelSettings, *, elsewhere: bool) -> ModelSettings:
    own = model.prefill or PrefillSettings()
    overrides = {key: value for key in PrefillSettings.model_fields if (value := getattr(own, key)) is not None}
    # Each stage scales by itself. On machines of another size, by default all of one.
    update: dict[str, Any] = {"autoscaling": None} | ({"tensor_parallel": None} if elsewhere else {}) | overrides
    if own.autoscaling is not None:
        update["replicas"] = own.autoscaling.maximum
    return model.model_copy(update=update)


def _keys(settings: StackSettings) -> dict[str, str]:
    """The path of a finding about a prefill server: its own key if set, or if its machine differs."""
    elsewhere = settings.prefill_accelerator is not None
    keys = {path_of("accelerator"): path_of("prefillAccelerator")} if elsewhere else {}
    for index, model in enumerate(settings.models):
        for name, field in PrefillSettings.model_fields.items():
            if elsewhere or getattr(model.prefill, name, None) is not None:
                key = field.alias or name
                keys[path_of("models", index, key)] = path_of("models", index, "prefill", key)
    return keys
