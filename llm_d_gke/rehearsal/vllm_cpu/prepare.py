"""Prepares real vLLM for a stack before any of its parts start, or refuses with one sentence."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import psutil

from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.vllm_cpu.arguments import CONNECTOR
from llm_d_gke.rehearsal.vllm_cpu.environment import SERVE, Report, install_transfer, installed
from llm_d_gke.rehearsal.vllm_cpu.model_folders import tiny_models, write_models
from llm_d_gke.rehearsal.vllm_cpu.versions import EngineUnavailableError, nearest, version_in
from llm_d_gke.stackfile import StackConfig

# Proportional set size of one engine with its two processes, measured with 0.26.0, and room for a long prompt.
ENGINE_GIB: Final = 1.3
# Control plane, Envoy, picker and the Pulumi engine while it runs.
REST_GIB: Final = 1.5


def prepare(paths: StackPaths, plan: StackPlan, configuration: StackConfig, report: Report) -> None:
    """Install the versions that the plan's model servers need, and write their tiny models.

    Raises EngineUnavailableError or NoTinyModelError.
    """
    models = tiny_models(plan, configuration)
    for model in plan.models:
        for server in model.servers:
            if server.group is not None and server.group.ranks > 1:
                raise EngineUnavailableError(
                    f"{model.id} runs {server.group.ranks} data-parallel ranks on several hosts, which do not start on"
                    " a processor: leave --engine vllm (ENGINE=vllm) out"
                )
    _check_memory(paths, plan)
    catalog = load_catalog()
    versions = {version_in(server.pod.image, catalog) for model in plan.models for server in model.servers}
    environments = [installed(nearest(version), report) for version in sorted(versions)]
    pods = [server.pod for model in plan.models for server in model.servers]
    if any(CONNECTOR in word for pod in pods for word in pod.args):
        for environment in environments:
            install_transfer(environment, report)
    if environments:
        write_models(paths, models, environments[0])


def _check_memory(paths: StackPaths, plan: StackPlan) -> None:
    engines = sum(server.replicas * len(server.serving_ports) for model in plan.models for server in model.servers)
    running = _running_engines(paths)
    needed = max(0, engines - running) * ENGINE_GIB + (0.0 if running else REST_GIB)
    available = psutil.virtual_memory().available / 2**30
    if needed > available:
        raise EngineUnavailableError(
            f"{engines} model servers with real vLLM need {needed:.1f} GiB of memory ({ENGINE_GIB:g} each), and"
            f" {available:.1f} GiB are available: end other programs, set fewer replicas (-c models[0].replicas=1), or"
            " leave --engine vllm (ENGINE=vllm) out to run the simulated engine"
        )


def _running_engines(paths: StackPaths) -> int:
    count = 0
    for process in processes.listing(paths):
        with suppress(psutil.Error):
            count += process.alive and str(SERVE) in psutil.Process(process.pid).cmdline()
    return count
