"""Sizes of CUDA graphs, and of what is compiled, that options state and vLLM refuses."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.planning.engine_support.options import is_on, nested_value, object_value, option_words
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.settings.models import ModelSettings

Conflict = tuple[str, str, str]  # the option, why it is refused as a clause, what to write

_COMPILATION, _SIZES, _LARGEST = "--compilation-config", "cudagraph_capture_sizes", "max_cudagraph_capture_size"
_EAGER, _BOTH = "--enforce-eager", "FULL_AND_PIECEWISE"


def graph_sizes(settings: ModelSettings) -> Iterator[Conflict]:
    """EngineArgs and VllmConfig of 0.19.1 to 0.30.0: sizes of CUDA graphs are stated once, with their largest."""
    stated: dict[str, list[int]] = {}
    for key in (_SIZES, _LARGEST):
        option, nested = f"--{key.replace('_', '-')}", nested_value(settings.extra_args, _COMPILATION, key)
        words = option_words(settings.extra_args, option)
        if words and nested is not None:
            yield (
                option,
                f"{_COMPILATION} has {key} as well, and vLLM takes one of them: mutually exclusive",
                f"remove {option}, or {key} from {_COMPILATION}",
            )
            return
        listed = words or (nested or "").strip("[]").split(",")
        stated[key] = [int(word) for word in listed if word.strip().isascii() and word.strip().isdigit()]
    mode = nested_value(settings.extra_args, _COMPILATION, "cudagraph_mode") or ""
    batch = settings.max_num_batched_tokens
    sizes = [size for size in stated[_SIZES] if batch is None or size <= batch]
    if not sizes or not stated[_LARGEST] or is_on(settings.extra_args, _EAGER) or mode.upper() == "NONE":
        return
    if (largest := stated[_LARGEST][0]) != max(sizes):
        yield (
            f"--{_LARGEST.replace('_', '-')} {largest}",
            f"the largest of the sizes that are listed is {max(sizes)}, and vLLM refuses another maximum",
            f"use {max(sizes)}, or remove it",
        )


def compiled_sizes(served: ServedModel) -> Iterator[Conflict]:
    """CudagraphDispatcher of 0.17.1 to 0.32.0: a size that is compiled for is one that graphs are captured of.

    Graphs of guessed tokens are of whole sequences (adjust_cudagraph_sizes_for_spec_decode); other sizes are the grid
    up to twice as many tokens as sequences, unless they are listed.
    """
    arguments = served.settings.extra_args
    mode = nested_value(arguments, _COMPILATION, "cudagraph_mode") or ""
    written = (object_value(arguments, _COMPILATION) or {}).get("compile_sizes")
    if not isinstance(written, list) or is_on(arguments, _EAGER) or mode.upper() not in ("", _BOTH):
        return
    step = 1 + (served.speculation.tokens if served.speculation is not None else 0)
    listed = nested_value(arguments, _COMPILATION, _SIZES) or option_words(arguments, f"--{_SIZES.replace('_', '-')}")
    largest = min(2 * (served.settings.max_num_seqs or 256), 512)
    for size in written:
        on_grid = size in (1, 2, 4) or size % 8 == 0 if isinstance(size, int) and step == 1 else None
        if isinstance(size, int) and size <= largest and (size % step or (on_grid is False and not listed)):
            multiple = f"multiples of {step}" if step > 1 else "1, 2, 4 and multiples of 8"
            yield (
                f"{_COMPILATION} compile_sizes {size}",
                f"CUDA graphs here are of {multiple} tokens: compile_sizes contains {size} which would be padded"
                " (vllm-project/vllm pull request 49549)",
                f"use {step * max(1, -(-size // step)) if step > 1 else 8 * max(1, -(-size // 8))}",
            )
            return
