"""The plan's estimates for the simulated engines: latencies and size of the KV cache."""

from __future__ import annotations

import json

from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.stackfile import StackConfig


def write_engine_simulation(paths: StackPaths, configuration: StackConfig) -> None:
    """Write the estimates by namespace and served model name. A refused stack has none."""
    try:
        plan = plan_config(paths.stack, configuration)
    except RefusedError:
        return
    estimates = {
        model.served_name: latency for model in plan.models if (latency := model.servers[0].latency) is not None
    }
    others = json.loads(paths.simulation.read_text(encoding="utf-8")) if paths.simulation.exists() else {}
    atomic_write(paths.simulation, json.dumps({**others, plan.namespace.name: estimates}, indent=1))
