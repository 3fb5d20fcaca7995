"""Which engine runs for model servers of a stack: the simulator, or vLLM on this machine's processor."""

from __future__ import annotations

from enum import Enum

from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.paths import StackPaths


class EngineChoice(Enum):
    """Values of `--engine`."""

    SIMULATOR = "simulator"
    VLLM = "vllm"


def engine_of(paths: StackPaths) -> EngineChoice:
    """The engine of the last `up` of a stack; the simulator where none is recorded."""
    try:
        return EngineChoice(paths.engine.read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return EngineChoice.SIMULATOR


def choose_engine(paths: StackPaths, requested: EngineChoice | None) -> EngineChoice:
    """The engine of this `up`: as requested, otherwise the running stack's, otherwise the simulator.

    Raises RehearsalError where another one runs: its pods would keep it until they are replaced.
    """
    runs = paths.cloud.exists()
    current = engine_of(paths) if runs else EngineChoice.SIMULATOR
    if requested is None:
        return current
    if runs and requested is not current:
        raise RehearsalError(
            f"stack {paths.stack} runs with the engine {current.value}, and its pods would keep it: make down"
            f" STACK={paths.stack} first, then make up STACK={paths.stack} ENGINE={requested.value}"
        )
    return requested


def record_engine(paths: StackPaths, choice: EngineChoice) -> None:
    paths.home.mkdir(parents=True, exist_ok=True)
    paths.engine.write_text(choice.value, encoding="utf-8")
