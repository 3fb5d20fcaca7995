"""How an engine's memory divides up: weights, activations, CUDA graphs, KV cache. Pure functions, no Pulumi."""

from llm_d_gke.planning.plan.estimates import MemoryParts, MemoryVerdict
from llm_d_gke.planning.sizing.memory.judge import judge
from llm_d_gke.planning.sizing.memory.run import EngineOptions, EngineRun, engine_run

__all__ = ["EngineOptions", "EngineRun", "MemoryParts", "MemoryVerdict", "engine_run", "judge"]
