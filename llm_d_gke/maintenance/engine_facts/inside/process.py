"""One process: a card, and the questions about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from . import card, classes, command_lines, engine, interfaces, kernels, options
from .modules import error_text, trace
from .stand_in import install_card

_QUESTIONS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    function.__name__: function
    for function in (
        engine.float16_refused,
        engine.automatic_dtype,
        engine.architectures,
        engine.former_architectures,
        engine.sink_architectures,
        interfaces.recurrent_architectures,
        interfaces.lacking_interfaces,
        interfaces.eagle3_model_types,
        options.options,
        engine.parsers,
        engine.speculative_methods,
        engine.kv_offload_hybrid,
        engine.quantization,
        engine.compressed_tensors,
        engine.longrope_default,
        classes.configuration_classes,
        card.batches,
        card.dtypes,
        card.attention,
        card.block_sizes,
        card.experts,
        engine.experts_padded,
        kernels.triton_shared_memory,
        command_lines.configurations,
        command_lines.command_lines,
    )
}


def answer(task: Mapping[str, Any]) -> dict[str, Any]:
    """Answers by question, for a task of `questions.tasks`. What fails has its error text under `unanswered`."""
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "CRITICAL")
    answers: dict[str, Any] = {"card": task["card"]["name"]}
    try:
        install_card(task["card"])
    except Exception as error:
        return answers | {"unanswered": error_text(error)}
    for name, question in task["questions"].items():
        try:
            answers[name] = {"answer": _QUESTIONS[name](question)}
        except (Exception, AssertionError, SystemExit) as error:
            answers[name] = {"unanswered": error_text(error)}
            trace()
    return answers
