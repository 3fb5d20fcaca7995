"""Launches model servers as real vLLM on this machine's processor, with a tiny model of random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from llm_d_gke.catalog import Catalog
from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.engine_choice import EngineChoice, engine_of
from llm_d_gke.rehearsal.node_agent.arguments import Allocate, mounted
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, repository
from llm_d_gke.rehearsal.node_agent.launch import Launch, words_of
from llm_d_gke.rehearsal.paths import StackPaths, difference
from llm_d_gke.rehearsal.vllm_cpu.arguments import CpuCommand, ServedModel, command_for, with_events_port
from llm_d_gke.rehearsal.vllm_cpu.environment import SERVE, EngineEnvironment, environment_of
from llm_d_gke.rehearsal.vllm_cpu.model_folders import KV_CACHE_GIB
from llm_d_gke.rehearsal.vllm_cpu.tiny_model import LAYERS, VOCABULARY
from llm_d_gke.rehearsal.vllm_cpu.versions import nearest, version_in

# Python reads torch and vLLM for 15 s on an idle core, twice. Several engines share the cores.
START_BUDGET_SECONDS: Final = 600.0
# On which ranks find each other, by default.
_RPC_PORT = 29550
# Where an engine tells others how to read its KV cache.
_SIDE_HOST, _SIDE_PORT = "VLLM_NIXL_SIDE_CHANNEL_HOST", "VLLM_NIXL_SIDE_CHANNEL_PORT"


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
    """Implements `launch.Launcher`."""

    version: EngineVersion
    models: Mapping[str, ServedModel]

    def launch(
        self, container: Manifest, environment: Mapping[str, str], mounts: Mapping[str, str], allocate: Allocate
    ) -> Launch:
        command, arguments = words_of(container, environment, mounts)
        runs = self.version.installed
        library = runs.transfer
        installed = library is not None and library.exists()
        engine = command_for(command, arguments, environment, self.models, transfers=installed)
        first = allocate(engine.port, engine.ranks)
        ports = {engine.port + rank: first + rank for rank in range(engine.ranks)}
        own = engine.arguments
        if engine.events is not None:
            ports[engine.events] = allocate(engine.events, 1)
            own = with_events_port(own, ports[engine.events])
        if engine.supervisor is not None:
            ports[engine.supervisor] = allocate(engine.supervisor, 1)
            own += ("--data-parallel-supervisor-port", str(ports[engine.supervisor]))
            own += ("--data-parallel-rpc-port", str(allocate(_RPC_PORT, 1)))
        # Caches in a volume of the pod are folders of this machine.
        inherited = {name: mounted(value, mounts) for name, value in environment.items()}
        variables = {
            **inherited,
            **runs.variables(),
            "VLLM_CPU_KVCACHE_SPACE": str(KV_CACHE_GIB),
            "VLLM_HOST_IP": "127.0.0.1",
        }
        if engine.transfers or engine.supervisor is not None:
            # What other places computed has to show in an answer.
            variables.setdefault("WEIGHTS_SEED", "1234")
        if engine.transfers:
            side = int(environment[_SIDE_PORT])
            ports[side] = allocate(side, 1)
            variables |= {_SIDE_HOST: "127.0.0.1", _SIDE_PORT: str(ports[side]), "PYTHONPATH": str(library)}
        # -P: the folder in which it starts is not a place of modules.
        words = ("-P", str(SERVE), "serve", *own)
        return Launch(
            (*words, "--host", "127.0.0.1", "--port", str(first)),
            variables,
            ports,
            self._remarks(engine),
            START_BUDGET_SECONDS,
        )

    def _remarks(self, engine: CpuCommand) -> tuple[str, ...]:
        requested, runs = self.version.requested, self.version.installed.version
        instead = "" if runs == requested else f" instead of {requested}, which is not pinned here,"
        remarks = [difference("vllm", version=runs, instead=instead, layers=LAYERS, tokens=VOCABULARY)]
        if engine.dropped:
            remarks.append(difference("vllm-dropped", arguments=" ".join(engine.dropped)))
        if engine.blocks is not None:
            stated, size = engine.blocks
            remarks.append(difference("vllm-blocks", stated=stated, size=size, version=runs))
        if engine.supervisor is not None:
            remarks.append(difference("vllm-ranks"))
        if engine.transfers:
            remarks.append(difference("vllm-transfers"))
        return tuple(remarks)
