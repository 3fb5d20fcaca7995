"""Every failure of the rehearsal has one root, so that a command can show it as a sentence."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from llm_d_gke import rehearsal
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.terminal.failures import explain

FOLDER = Path(rehearsal.__file__).parent
# Runs in the environment of vLLM, whose packages it imports.
OF_VLLM = "llm_d_gke.rehearsal.vllm_cpu.tokenizer"
MODULES = sorted(
    ".".join(("llm_d_gke", "rehearsal", *file.relative_to(FOLDER).with_suffix("").parts))
    for file in FOLDER.rglob("*.py")
    if file.stem not in ("__init__", "__main__")
)
MODULES.remove(OF_VLLM)


@pytest.mark.parametrize("module", MODULES)
def test_every_exception_is_a_rehearsal_error(module: str) -> None:
    own = [
        value
        for _, value in inspect.getmembers(importlib.import_module(module), inspect.isclass)
        if issubclass(value, Exception) and value.__module__ == module
    ]
    assert not [error for error in own if not issubclass(error, RehearsalError)]


def test_an_expected_failure_is_a_sentence_and_an_unexpected_one_is_not() -> None:
    assert explain(RehearsalError("the stack is not up")) == "the stack is not up"
    assert explain(KeyError("stack")) is None
