"""The resource graph of this project's program for one stack, recorded in this process without the engine."""

from __future__ import annotations

from llm_d_gke.resource_graph.model import Graph
from llm_d_gke.resource_graph.recorder import record
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig


def record_stack(stack: str, config: StackConfig, *, preview: bool = True) -> Graph:
    """Run `__main__.py` against the recording monitor. `preview=False` also runs what waits for created resources."""
    return record(
        PROJECT_ROOT / "__main__.py",
        stack=stack,
        config=config.texts(),
        secret_keys=config.secret_keys(),
        preview=preview,
    )
