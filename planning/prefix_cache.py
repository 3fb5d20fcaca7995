"""The size of KV-cache blocks: engine and picker cut prompts alike, or the picker predicts hits that are none."""

from __future__ import annotations

from catalog.schema import Model
from planning.site import Site
from planning.verdict import run_of
from settings.models import ModelSettings

# vLLM's own on GPUs.
_GPU_BLOCK = 16


def block_size_of(site: Site, settings: ModelSettings, model: Model | None) -> int | None:
    """Tokens of a block as both engine and picker are told, None where neither is: each then has its own default.

    Pattern prefix-cache always tells them; elsewhere a size that is set does.
    """
    if settings.block_size is not None or site.settings.pattern != "prefix-cache":
        return settings.block_size
    if site.accelerator.kind == "gpu":
        return _GPU_BLOCK
    # TPUs choose by the longest request; a smaller block than theirs would be raised to it, on one side only.
    run = run_of(site, settings, model) if model is not None else None
    return run.kv_block() if run is not None else None
