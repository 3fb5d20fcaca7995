"""Options that `create_engine_config` of vLLM 0.26.0 accepts, near those that it refuses together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.planning.refusals.case import errors_of
from tests.planning.refusals.engine_conflicts import H100_4

_GUESS = "--speculative-config"


@pytest.mark.parametrize(
    "options",
    [
        (_GUESS, '{"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 2, "prompt_lookup_max": 4}'),
        ("--spec-method", "ngram", "--spec-tokens", "3"),
        (f"{_GUESS}.method", "ngram", f"{_GUESS}.num_speculative_tokens", "3"),
        (_GUESS, '{"method": "ngram", "num_speculative_tokens": 3, "disable_padded_drafter_batch": true}'),
        ("--ec-transfer-config", '{"ec_connector": "ECExampleConnector", "ec_role": "ec_both"}'),
        ("--compilation-config", '{"cudagraph_capture_sizes": [1, 2, 4], "cudagraph_mode": "PIECEWISE", "mode": 3}'),
        # CUDA graphs of pieces are turned off, with a line in the log.
        ("--compilation-config", '{"cudagraph_mode": "PIECEWISE", "mode": 0}'),
        ("--enforce-eager", "--max-cudagraph-capture-size", "0"),
        ("--profiler-config", '{"profiler": "cuda"}'),
        ("--offload-group-size", "8", "--offload-prefetch-step", "1"),
        ("--model-impl", "transformers"),
        ("--ubatch-size", "0"),
    ],
    ids=" ".join,
)
def test_options_that_vllm_takes_together_are_accepted(options: tuple[str, ...]) -> None:
    assert errors_of("gpu", _stack(*options)) == []


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ((_GUESS, '{"method": "eagle3", "num_speculative_tokens": 3}'), "without speculative model"),
        ((_GUESS, '{"method": "mtp", "num_speculative_tokens": 2}'), "no layers that predict further tokens"),
        ((f"{_GUESS}.method", "deepseek_mtp", "--spec-tokens", "2"), "no layers that predict further tokens"),
        (("--async-scheduling", "--spec-method", "ngram", "--spec-tokens", "3"), "is refused beside"),
    ],
)
def test_an_option_for_guesses_is_judged_as_the_setting_is(options: tuple[str, ...], rule: str) -> None:
    [error] = errors_of("gpu", _stack(*options))
    assert error.path == "llm-d:models[0].extraArgs"
    assert rule in error.rule


@pytest.mark.parametrize(
    "options",
    [
        ("--max-num-seqs", "_"),
        ("--stream-interval", "1__0"),
        (_GUESS, '{"method": "ngram", "num_speculative_tokens": "_"}'),
        (_GUESS, '{"method": "suffix", "num_speculative_tokens": 3, "suffix_decoding_max_spec_factor": "1.2.3"}'),
        ("--limit-mm-per-prompt", '{"image": "_"}'),
        ("--limit-mm-per-prompt", f'{{"image": {"9" * 5000}}}'),  # more digits than json reads
    ],
    ids=lambda options: options[1][:60],
)
def test_what_looks_like_a_number_and_is_none_is_refused(options: tuple[str, ...]) -> None:
    assert "LLMD-ENGINE-VALUE" in {error.id for error in errors_of("gpu", _stack(*options))}


@pytest.mark.parametrize("number", ["1_0", "9" * 400])
def test_numbers_of_every_length_are_compared(number: str) -> None:
    options = (f"{_GUESS}.method", "ngram", f"{_GUESS}.num_speculative_tokens", number)
    assert "LLMD-ENGINE-VALUE" not in {error.id for error in errors_of("gpu", _stack(*options))}


@pytest.mark.parametrize(
    ("options", "is_taken"),
    [
        (("--compilation-config", '{"cudagraph_capture_sizes": ["a"]}'), False),
        (("--compilation-config.cudagraph_capture_sizes", "[1, 2.5]"), False),
        (("--compilation-config.cudagraph_capture_sizes+", "1,b"), False),
        (("--compilation-config", '{"custom_ops": [1]}'), False),
        ((_GUESS, '{"method": "ngram", "num_speculative_tokens_per_batch_size": [[1, 4]]}'), False),
        (("--compilation-config", '{"cudagraph_capture_sizes": [1, "2", 4.0]}'), True),
        (("--compilation-config.cudagraph_capture_sizes+", "1,2"), True),
        (("--compilation-config", '{"compile_sizes": ["cudagraph_capture_sizes", 8]}'), True),
        (("--compilation-config", '{"custom_ops": ["none", "+rms_norm"]}'), True),
        ((_GUESS, '{"method": "ngram", "num_speculative_tokens_per_batch_size": [[1, 4, 3]]}'), True),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_elements_of_lists_are_judged(options: tuple[str, ...], is_taken: bool) -> None:
    assert ("LLMD-ENGINE-VALUE" in {error.id for error in errors_of("gpu", _stack(*options))}) is not is_taken


def _stack(*options: str) -> dict[str, Any]:
    model = {"id": "Qwen/Qwen3-8B", "image": "vllm/vllm-openai:v0.26.0", "maxModelLen": 8192, "maxNumSeqs": 32}
    fields = {**model, "allowExtraArgs": True, "extraArgs": list(options)}
    return {"location": "us-central1-a", "accelerator": dict(H100_4), "models[0]": fields}
