"""How an engine's memory divides up: weights, activations, CUDA graphs, KV cache. Pure functions, no Pulumi."""

from planning.plan.estimates import MemoryParts, MemoryVerdict
from planning.sizing.memory.judge import judge
from planning.sizing.memory.run import EngineRun, engine_run

__all__ = ["EngineRun", "MemoryParts", "MemoryVerdict", "engine_run", "judge"]
