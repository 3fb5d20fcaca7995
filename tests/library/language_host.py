# ruff: noqa: N802, ARG002 - methods have the names and parameters of the protocol's calls
"""Runs programs in other languages through the real engine, with the component package as its plugin.

The engine's language hosts are programs of Pulumi's CLI distribution, and no registry has them. They set variables and
start a process, which `ProgramHost` does in their place. Providers answer with plausible outputs: what Google Cloud and
Kubernetes do with the resources is for the rehearsal.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, language_pb2_grpc, plugin_pb2

from llm_d_gke.component_package.provider import package_version
from llm_d_gke.rehearsal.providers.base import Provider, serve
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.providers.requests import Created, CreateRequest, DeleteRequest, UpdateRequest
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.resource_graph.answers import ResourceRequest, plausible
from llm_d_gke.stackfile import PROJECT_ROOT

PLUGIN = "pulumi-resource-llm-d"
STACK = "dev"
# Command that runs a program, from the addresses of monitor and engine and from the request.
Command = Callable[[Any, str], Sequence[str]]


class ProgramHost(LanguageRuntimeServicer):
    """Starts a program as Pulumi's language hosts do: by variables for Go, by arguments for Node.js."""

    def __init__(self, command: Command, folder: Path) -> None:
        self._command, self._folder = command, folder
        self.output = ""

    def About(self, request: Any, context: Any) -> Any:
        return language_pb2.AboutResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPluginsResponse()

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPackagesResponse()

    def Run(self, request: Any, context: Any) -> Any:
        engine = request.args[0] if request.args else ""
        variables = {
            "PULUMI_ORGANIZATION": request.organization or "organization",
            "PULUMI_PROJECT": request.project,
            "PULUMI_STACK": request.stack,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            "PULUMI_DRY_RUN": str(request.dryRun).lower(),
            "PULUMI_PARALLEL": str(request.parallel),
            "PULUMI_MONITOR": request.monitor_address,
            "PULUMI_ENGINE": engine,
        }
        done = subprocess.run(
            self._command(request, engine),
            cwd=self._folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        self.output = done.stdout + done.stderr
        return language_pb2.RunResponse(error="" if done.returncode == 0 else f"the program failed:\n{self.output}")


class PlausibleProvider(Provider):
    """Accepts every resource, and answers as the recorder of resource graphs does."""

    version = "99.0.0"

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def create(self, request: CreateRequest) -> Created:
        if request.preview:
            return Created("", dict(request.inputs))
        answer = plausible(
            ResourceRequest(
                urn=request.urn,
                type=request.type,
                name=request.name,
                parent=None,
                inputs=request.inputs,
                provider=request.config,
            )
        )
        return Created(str(answer["id"]), {**request.inputs, **{k: v for k, v in answer.items() if k != "id"}})

    def update(self, request: UpdateRequest) -> Properties:
        return {**request.olds, **request.news}

    def delete(self, request: DeleteRequest) -> None:
        pass


@dataclass(frozen=True)
class Engine:
    """A project with one stack, whose program runs through the real engine."""

    executable: Path
    project: Path
    environment: Mapping[str, str]
    client: str

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command of the Pulumi CLI on the stack."""
        client = [f"--client={self.client}"] if arguments[0] in ("up", "preview") else []
        done = subprocess.run(
            [str(self.executable), *arguments, "--stack", STACK, "--non-interactive", *client],
            cwd=self.project,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state."""
        exported = json.loads(self.run("stack", "export").stdout)
        return list(exported["deployment"].get("resources") or [])

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.run("stack", "output", "--json").stdout))


@contextlib.contextmanager
def engine(project: Path, command: Command, home: Path, config: Mapping[str, str]) -> Iterator[Engine]:
    """An engine for the program of a folder, with the package as a plugin. `config` values that begin with `hf_` are
    secrets."""
    executable = binaries(["pulumi"], print)["pulumi"]
    _install_plugin(home)
    server = grpc.server(futures.ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(ProgramHost(command, project), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    (home / "backend").mkdir()
    try:
        with serve(PlausibleProvider("gcp")) as google, serve(PlausibleProvider("kubernetes")) as kubernetes:
            ready = Engine(
                executable,
                project,
                {
                    "PULUMI_HOME": str(home),
                    "PULUMI_BACKEND_URL": (home / "backend").as_uri(),
                    "PULUMI_CONFIG_PASSPHRASE": "test",
                    "PULUMI_SKIP_UPDATE_CHECK": "true",
                    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                    "PULUMI_DEBUG_PROVIDERS": f"gcp:{google},kubernetes:{kubernetes}",
                    # A start of the engine ends before its garbage needs the memory.
                    "GOGC": "400",
                    # The state is written once, at the end, and not after each resource: no test interrupts the engine.
                    "PULUMI_SKIP_CHECKPOINTS": "true",
                },
                f"127.0.0.1:{port}",
            )
            ready.run("stack", "init")
            kinds = {key: "--secret" if value.startswith("hf_") else "--plaintext" for key, value in config.items()}
            ready.run("config", "set-all", *(word for key in config for word in (kinds[key], f"{key}={config[key]}")))
            yield ready
    finally:
        server.stop(0).wait()


def _install_plugin(home: Path) -> None:
    """Install the package as Pulumi does with a plugin that is a program: a wheel has the same command."""
    plugin = home / "plugins" / f"resource-llm-d-v{package_version()}" / PLUGIN
    plugin.parent.mkdir(parents=True)
    plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROJECT_ROOT / "package"}" "$@"\n', encoding="utf-8")
    plugin.chmod(0o755)
