"""Prefix caching of models with recurrent states: a state is kept for a whole block of KV cache."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.options import is_on, option_value
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.sizing.memory import EngineRun
from llm_d_gke.planning.sizing.memory.kv_cache import layout
from llm_d_gke.planning.sizing.memory_check import target_run_of
from llm_d_gke.settings.models import ModelSettings

_MODE = "--mamba-cache-mode"
# vllm/config/vllm.py: the mode "align" and its assertions are in 0.17.1, 0.19.1 and 0.26.0; 0.30.0 takes smaller
# batches. Issue 36697 of vllm-project/vllm reports the one about blocks.
_ALIGNED_SINCE, _BATCH_READ, _SMALLER_BATCHES = "0.17", "0.27", "0.30"
# vllm-project/vllm issue 39809: 0.19.0 ends, a build of April 2026 runs with "align".
_EVERY_STATE_READ = "0.20"
# Issue 43559 is of May 2026; a build of 0.19.1 gave right answers to its requests.
_GUESSES_WRONG_SINCE = "0.20"
_OFF = "prefixCaching: false with picker.scorers.prefixCache: 0"


def check_recurrent_cache(served: ServedModel, *, caching: bool) -> None:
    """Findings about prefixes that are never kept, kept wrongly, or keep the engine from starting. GPUs only."""
    model = served.model
    if model is None or not model.recurrent or not caching or served.accelerator.kind != "gpu":
        return
    if not served.has(_ALIGNED_SINCE):
        return
    for rule, fix, certain in _problems(served, model, target_run_of(served)):
        served.add_finding(
            "LLMD-PREFIX-CACHING-STATES",
            "prefixCaching",
            certain=certain,
            value="true" if served.settings.prefix_caching else "(by default, true)",
            rule=rule,
            fix=fix,
        )
        # One finding: the next is often of the same settings.
        return


def _problems(served: ServedModel, model: Model, run: EngineRun | None) -> Iterator[tuple[str, str, bool]]:
    """Rule, fix, and whether the engine surely ends."""
    every_state = _keeps_every_state(served.settings, run)
    if not every_state:
        yield from _problems_at_ends_of_blocks(served, model, run)
    yield from _problems_of_guesses(served, model, every_state=every_state)
    if run is not None:
        yield from _problems_of_large_blocks(served, model, run)


def _problems_at_ends_of_blocks(
    served: ServedModel, model: Model, run: EngineRun | None
) -> Iterator[tuple[str, str, bool]]:
    settings, version = served.settings, served.version
    if is_on(settings.extra_args, "--enable-chunked-prefill") is False:
        yield (
            f"{model.id} keeps states at the ends of blocks, for which vLLM {version} has to cut prompts",
            "remove --no-enable-chunked-prefill",
            True,
        )
    if is_on(settings.extra_args, "--disable-chunked-mm-input") is True:
        yield (
            f"{model.id} keeps states at the ends of blocks, for which vLLM {version} has to cut images and videos:"
            " Chunked MM input is required",
            "remove --disable-chunked-mm-input",
            True,
        )
    block = layout(run).block_tokens if run is not None else 0
    if run is not None and block > run.max_num_batched_tokens and not served.has(_SMALLER_BATCHES):
        yield (
            f"blocks that hold a state of {model.id} have {block} tokens, as far as can be computed, and vLLM"
            f" {version} ends where a batch has fewer, here {run.max_num_batched_tokens}",
            f"use maxNumBatchedTokens: {-(-block // 1024) * 1024}, or {_OFF}",
            not served.has(_BATCH_READ),
        )


def _problems_of_guesses(served: ServedModel, model: Model, *, every_state: bool) -> Iterator[tuple[str, str, bool]]:
    speculation = served.speculation
    if speculation is None or speculation.method != "mtp":
        return
    if every_state:
        yield (
            f"vLLM {served.version} keeps a state of {model.id} for every block, and was seen to end at its start with"
            " tokens guessed by the checkpoint's own layers (vllm-project/vllm issue 39809)",
            f'use allowExtraArgs: true and extraArgs: ["{_MODE}", "align"], or {_OFF}',
            not served.has(_EVERY_STATE_READ),
        )
    if any(group.kind == "linear" for group in model.attention) and served.has(_GUESSES_WRONG_SINCE):
        yield (
            "prefix caching beside the checkpoint's prediction layers gave wrong answers and launch failures in models"
            " with linear attention, from 0.23 to 0.28 (vllm-project/vllm issues 43559, 47194 and 53912)",
            f"use {_OFF}, or remove speculativeDecoding",
            False,
        )


def _problems_of_large_blocks(served: ServedModel, model: Model, run: EngineRun) -> Iterator[tuple[str, str, bool]]:
    block = layout(run).block_tokens
    if block >= run.max_model_len:
        yield (
            f"blocks that hold a state of {model.id} have {block} tokens, as far as can be computed, and only whole"
            f" blocks are kept: no request of {run.max_model_len} tokens has one (vllm-project/vllm issue 48401)",
            f"use {_OFF}, or maxModelLen above {2 * block}",
            False,
        )
    elif served.settings.prefix_caching and block:
        yield (
            f"blocks that hold a state of {model.id} have {block} tokens, as far as can be computed, and only whole"
            " blocks are kept: shorter prefixes are computed again (vllm-project/vllm issues 40696 and 54504)",
            "compare vllm:prefix_cache_hits_total with vllm:prefix_cache_queries_total, or remove prefixCaching",
            False,
        )


def _keeps_every_state(settings: ModelSettings, run: EngineRun | None) -> bool:
    mode = option_value(settings.extra_args, _MODE)
    if mode is not None:
        return mode == "all"
    return run is not None and layout(run).states_everywhere
