"""Common helpers of several questions to an engine."""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Any


def first_module(*names: str) -> Any:
    """The first of these places that a version has."""
    for name in names[:-1]:
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    return importlib.import_module(names[-1])


def error_text(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"


def trace() -> None:
    if os.environ.get("ENGINE_FACTS_TRACE"):
        importlib.import_module("traceback").print_exc()
