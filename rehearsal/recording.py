"""The program's resource graph for a stack file, recorded in this process without the engine."""

from __future__ import annotations

from rehearsal.configuration import Configuration
from rehearsal.graph import Graph, record
from rehearsal.paths import PROJECT_ROOT


def record_stack(stack: str, configuration: Configuration, *, preview: bool = True) -> Graph:
    """Run `__main__.py` against the recording monitor. `preview=False` also runs what waits for created resources."""
    return record(
        PROJECT_ROOT / "__main__.py",
        stack=stack,
        config=configuration.texts(),
        secret_keys=configuration.secret_keys(),
        preview=preview,
    )
