"""How an engine's memory divides up: weights, activations, CUDA graphs, KV cache. Pure functions, no Pulumi."""

from planning.memory.judge import MemoryParts, MemoryVerdict, judge
from planning.memory.run import EngineRun, engine_run

__all__ = ["EngineRun", "MemoryParts", "MemoryVerdict", "engine_run", "judge"]
