"""Probes of an engine: until when it may start, and when it is alive and ready."""

from __future__ import annotations

import math
from typing import Literal

from llm_d_gke.planning.parallelism.layout import Parallelism
from llm_d_gke.planning.plan.pods import ProbePlan
from llm_d_gke.planning.serving import multi_node
from llm_d_gke.planning.serving.engine_paths import HEALTH_PATH, MODELS_PATH


def engine_probes(
    parallelism: Parallelism, port: int, scheme: Literal["HTTP", "HTTPS"], start_seconds: int
) -> tuple[ProbePlan, ProbePlan, ProbePlan]:
    """Startup, liveness and readiness. `start_seconds` is how long the engine may take until it answers."""
    health = multi_node.health_port(parallelism, port)
    # vLLM answers /v1/models once weights are loaded and the engine is compiled; a supervisor has only /health.
    ready_path = MODELS_PATH if parallelism.data == 1 else HEALTH_PATH
    startup = ProbePlan(
        port=health,
        path=ready_path,
        scheme=scheme,
        initial_delay=15,
        period=10,
        timeout=5,
        failures=math.ceil(start_seconds / 10),
    )
    liveness = ProbePlan(port=health, path=HEALTH_PATH, scheme=scheme, period=10, timeout=5, failures=3)
    readiness = ProbePlan(port=health, path=ready_path, scheme=scheme, period=5, timeout=2, failures=3)
    return startup, liveness, readiness
