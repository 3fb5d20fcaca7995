"""The size of KV-cache blocks: engine and picker cut prompts alike, or the picker predicts hits that are none."""

from __future__ import annotations

from catalog.schema import Model
from planning.context import PlanContext
from planning.serving.kv_events import follows_events
from planning.sizing.memory_check import run_of
from settings.models import ModelSettings

# vLLM's own on GPUs.
_GPU_BLOCK = 16


def block_size_of(ctx: PlanContext, settings: ModelSettings, model: Model | None) -> int | None:
    """Tokens of a block as both engine and picker are told, None where neither is: each then has its own default.

    Pattern prefix-cache and a precise index always tell them; elsewhere a size that is set does.
    """
    told = ctx.settings.pattern == "prefix-cache" or follows_events(ctx)
    if settings.block_size is not None or not told:
        return settings.block_size
    return engine_block(ctx, settings, model)


def engine_block(ctx: PlanContext, settings: ModelSettings, model: Model | None) -> int | None:
    """Tokens of the engine's blocks: as set, else its own. None for a model on TPU that the catalog lacks."""
    if settings.block_size is not None:
        return settings.block_size
    if ctx.accelerator.kind == "gpu":
        return _GPU_BLOCK
    # TPUs choose by the longest request; a smaller block than theirs would be raised to it, on one side only.
    run = run_of(ctx, settings, model) if model is not None else None
    return run.kv_block() if run is not None else None
