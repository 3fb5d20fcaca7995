"""Launches model servers as real vLLM on this machine's processor, with a tiny model of random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from llm_d_gke.catalog import Catalog
from llm_d_gke.rehearsal.engine_choice import EngineChoice, engine_of
from llm_d_gke.rehearsal.kube import Manifest
from llm_d_gke.rehearsal.node_agent.arguments import Allocate, mounted
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, repository
from llm_d_gke.rehearsal.node_agent.launch import Launch, words_of
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.vllm_cpu.arguments import ServedModel, command_for, with_events_port
from llm_d_gke.rehearsal.vllm_cpu.environment import SERVE, EngineEnvironment, environment_of
from llm_d_gke.rehearsal.vllm_cpu.model_folders import KV_CACHE_GIB
from llm_d_gke.rehearsal.vllm_cpu.tiny_model import LAYERS, VOCABULARY
from llm_d_gke.rehearsal.vllm_cpu.versions import nearest, version_in

# Python reads torch and vLLM for 15 s on an idle core, twice. Several engines share the cores.
START_BUDGET_SECONDS: Final = 600.0


@dataclass(frozen=True)
class EngineVersion:
    """The vLLM version of an image, and the installed version that runs in its place."""

    requested: str
    installed: EngineEnvironment


def runs_vllm(paths: StackPaths, image: str) -> bool:
    """Whether real vLLM runs for an engine's image in this stack. The simulator's own image stays what it is."""
    return engine_of(paths) is EngineChoice.VLLM and repository(image) != Program.ENGINE.value


def describe_engine(paths: StackPaths) -> str:
    """A description of the engine in the pods of model servers."""
    if engine_of(paths) is EngineChoice.VLLM:
        return "vLLM on this machine's processor, a tiny model of random weights"
    return "llm-d-inference-sim, which writes random words"


def environment_for(image: str, catalog: Catalog) -> EngineVersion:
    requested = version_in(image, catalog)
    return EngineVersion(requested, environment_of(nearest(requested)))


@dataclass(frozen=True)
class VllmOnCpu:
    """Implements `launch.EngineLauncher`."""

    version: EngineVersion
    models: Mapping[str, ServedModel]

    def launch(
        self, container: Manifest, environment: Mapping[str, str], mounts: Mapping[str, str], allocate: Allocate
    ) -> Launch:
        command, arguments = words_of(container, environment, mounts)
        engine = command_for(command, arguments, environment, self.models)
        ports = {engine.port: allocate(engine.port, 1)}
        own = engine.arguments
        if engine.events is not None:
            ports[engine.events] = allocate(engine.events, 1)
            own = with_events_port(own, ports[engine.events])
        runs = self.version.installed
        # Caches in a volume of the pod are folders of this machine.
        inherited = {name: mounted(value, mounts) for name, value in environment.items()}
        variables = {
            **inherited,
            **runs.variables(),
            "VLLM_CPU_KVCACHE_SPACE": str(KV_CACHE_GIB),
            "VLLM_HOST_IP": "127.0.0.1",
        }
        # -P: the folder in which it starts is not a place of modules.
        words = ("-P", str(SERVE), "serve", *own)
        return Launch(
            (*words, "--host", "127.0.0.1", "--port", str(ports[engine.port])),
            variables,
            ports,
            self._remarks(engine.dropped),
            START_BUDGET_SECONDS,
        )

    def _remarks(self, dropped: tuple[str, ...]) -> tuple[str, ...]:
        requested, runs = self.version.requested, self.version.installed.version
        instead = "" if runs == requested else f" instead of {requested}, which is not pinned here,"
        remarks = [
            f"vLLM {runs}{instead} runs on this machine's processor with a tiny model of random weights: the"
            f" architecture and the kind of tokenizer are the model's, with {LAYERS} layers and {VOCABULARY} tokens;"
            " its answers mean nothing, and its speed is not the accelerator's"
        ]
        if dropped:
            remarks.append(
                "arguments that only an accelerator or the model's own files take are left out of vLLM's command:"
                f" {' '.join(dropped)}"
            )
        return tuple(remarks)
