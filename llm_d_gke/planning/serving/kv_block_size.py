"""The size of KV-cache blocks: engine and picker cut prompts alike, or the picker predicts hits that are none."""

from __future__ import annotations

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.attention import GPU_BLOCK, own_block_size
from llm_d_gke.planning.patterns import pattern_of
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.kv_events import follows_events
from llm_d_gke.planning.sizing.memory.kv_cache import layout
from llm_d_gke.planning.sizing.memory_check import run_of


def block_size_of(served: ServedModel) -> int | None:
    """Tokens of a block that engine and picker are configured with; None leaves each its own default.

    Some patterns and a precise index always state it. Elsewhere it is stated where the stack file sets it.
    """
    if served.settings.block_size is None and not _is_stated(served.ctx):
        return None
    return engine_block(served)


def block_argument(served: ServedModel) -> int | None:
    """Value of the engine's --block-size. None where it is left to the engine, which then arrives at the picker's.

    vLLM before 0.19 takes powers of two only, and raises the blocks of a model with recurrent states by itself.
    """
    return None if raised_block(served) is not None else block_size_of(served)


def raised_block(served: ServedModel) -> int | None:
    """Tokens to which vLLM raises its blocks, so that one holds a recurrent state. None where it leaves them.

    vllm/platforms/interface.py `_align_hybrid_block_size` (before 0.20 in vllm/model_executor/models/config.py).
    """
    model = served.model
    if model is None or served.accelerator.kind != "gpu":
        return None
    if not model.recurrent:
        return None
    run = run_of(served)
    tokens = layout(run).block_tokens if run is not None else 0
    return tokens if tokens > (served.settings.block_size or GPU_BLOCK) else None


def check_raised_blocks(served: ServedModel) -> None:
    """Warn that vLLM raises the block size above the configured one, where the picker depends on it."""
    settings = served.settings
    tokens = raised_block(served)
    if tokens is None or not (_is_stated(served.ctx) or settings.block_size is not None):
        return
    block_size = settings.block_size
    served.warning(
        "LLMD-KV-BLOCK-RAISED",
        "blockSize",
        value=block_size if block_size is not None else "(by default)",
        model=settings.id,
        tokens=tokens,
        fix=("remove blockSize, and " if block_size is not None else "")
        + "compare with Setting attention block size in the engine's start-up log",
    )


def _is_stated(ctx: PlanContext) -> bool:
    return pattern_of(ctx.settings).states_block_size or follows_events(ctx)


def engine_block(served: ServedModel) -> int | None:
    """Tokens of the engine's blocks: as set, else its own. None for a model on TPU that the catalog lacks."""
    raised = raised_block(served)
    if raised is not None:
        return raised
    if served.settings.block_size is not None:
        return served.settings.block_size
    if served.accelerator.kind == "gpu":
        model = served.model
        if model is None:
            return GPU_BLOCK
        return own_block_size(model, served.accelerator, served.version, served.kv_cache_dtype)
    # TPUs choose by the longest request; a smaller block would be raised, on the engine's side only.
    run = run_of(served)
    return run.kv_block() if run is not None else None
