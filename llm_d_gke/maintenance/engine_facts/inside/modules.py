"""Common helpers of several questions to an engine."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

# Places of the module with the options of `vllm serve`, the newest first.
SERVER_OPTIONS = (
    *("vllm.entrypoints.common.cli_args", "vllm.entrypoints.launchers.cli_args"),
    "vllm.entrypoints.openai.cli_args",
)


def first_module(*names: str) -> Any:
    """The first of these places that a version has."""
    for name in names[:-1]:
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    return importlib.import_module(names[-1])


def package_folder() -> Path:
    specification = importlib.util.find_spec("vllm")
    if specification is None or specification.origin is None:
        raise LookupError("vllm is not installed")
    return Path(specification.origin).parent


def error_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"


def trace() -> None:
    if os.environ.get("ENGINE_FACTS_TRACE"):
        importlib.import_module("traceback").print_exc()
