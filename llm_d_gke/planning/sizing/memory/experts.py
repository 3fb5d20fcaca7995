"""What fused experts take while the profile runs: two workspaces for every token of a batch. GPUs only."""

from __future__ import annotations

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.parameters import GIB
from llm_d_gke.planning.sizing.memory.run import EngineRun


def workspace_gib(run: EngineRun) -> float:
    """Inputs and outputs of both multiplications, for each expert that a token visits (workspace_shapes)."""
    figures, experts = load_engine().fused_experts, run.model.experts
    if experts is None or _has_kernels_of_its_own(run):
        return 0.0
    width = experts.latent or run.model.hidden
    inner = experts.intermediate if run.expert_parallel else -(-experts.intermediate // run.tensor_parallel)
    tokens = _tokens(run)
    if not load_engine().has(run.version, figures.whole_batches_since):
        tokens = min(tokens, figures.part_tokens)
    row = max(inner, width) + max(2 * inner, width)
    return tokens * experts.active * row * run.dtype_bytes / GIB


def keeps_workspace(run: EngineRun) -> bool:
    """Whether the workspaces stay while the sampler runs; before, they were freed by then."""
    return load_engine().has(run.version, load_engine().fused_experts.kept_since)


def _tokens(run: EngineRun) -> int:
    """Tokens whose experts are computed at once: those of all data-parallel ranks, where each gathers them."""
    gathered = run.expert_parallel and (run.all_to_all or "allgather_reducescatter").startswith("allgather")
    return run.max_num_batched_tokens * (run.data_parallel if gathered else 1)


def _has_kernels_of_its_own(run: EngineRun) -> bool:
    """Whether only the experts are quantized, as gpt-oss's are, on a card where they do not run in Marlin."""
    quantized = run.quantized
    alone = quantized is not None and quantized.experts_only
    return alone and (run.capability or 0.0) >= load_engine().fused_experts.marlin_below
