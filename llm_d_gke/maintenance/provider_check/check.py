"""Validates the resources of a recorded graph with a provider plugin, which it starts as Pulumi's engine does."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from llm_d_gke.resource_graph import Graph, Recorded
from llm_d_gke.resource_graph.wire import encode_struct

PROVIDER_TYPE = "pulumi:providers:gcp"
_PREFIX = "gcp:"
# Seeds the random part of names that the provider generates.
_SEED = bytes(32)
_SECONDS = 60.0


@dataclass(frozen=True)
class Problem:
    """One refusal. `argument` is empty where the provider names none."""

    type: str
    name: str
    argument: str
    reason: str

    def __str__(self) -> str:
        place = f".{self.argument}" if self.argument else ""
        return f"{self.type} {self.name}{place}: {self.reason}"


def google_resources(graph: Graph) -> list[Recorded]:
    """The resources that the gcp provider creates. What a program only reads is not among them."""
    return [
        resource for resource in graph if resource.type.startswith(_PREFIX) and resource.custom and not resource.read
    ]


def problems(graph: Graph, provider: ResourceProviderStub) -> list[Problem]:
    """Everything that the provider refuses about a graph. It may be used for one graph after the other."""
    return [
        *_configure(graph, provider),
        *(p for resource in google_resources(graph) for p in _refusals(resource, provider)),
    ]


def _configure(graph: Graph, provider: ResourceProviderStub) -> Iterator[Problem]:
    for resource in graph:
        if resource.type != PROVIDER_TYPE:
            continue
        news = encode_struct(resource.inputs)
        checked = provider.CheckConfig(
            provider_pb2.CheckRequest(urn=resource.urn, news=news, name=resource.name, type=resource.type),
            timeout=_SECONDS,
        )
        yield from _failures(resource, checked)
        request = provider_pb2.ConfigureRequest(
            args=checked.inputs, acceptSecrets=True, acceptResources=False, urn=resource.urn, name=resource.name
        )
        try:
            provider.Configure(request, timeout=_SECONDS)
        except grpc.RpcError as error:
            yield _problem(resource, error)


def _refusals(resource: Recorded, provider: ResourceProviderStub) -> Iterator[Problem]:
    request = provider_pb2.CheckRequest(
        urn=resource.urn, news=encode_struct(resource.inputs), randomSeed=_SEED, name=resource.name, type=resource.type
    )
    try:
        checked = provider.Check(request, timeout=_SECONDS)
    except grpc.RpcError as error:  # a value of another type than the argument's
        yield _problem(resource, error)
        return
    failures = list(_failures(resource, checked))
    yield from failures
    if not failures:
        yield from _preview_refusals(resource, checked.inputs, provider)


def _preview_refusals(resource: Recorded, inputs: Struct, provider: ResourceProviderStub) -> Iterator[Problem]:
    request = provider_pb2.CreateRequest(
        urn=resource.urn, properties=inputs, preview=True, name=resource.name, type=resource.type
    )
    try:
        provider.Create(request, timeout=_SECONDS)
    except grpc.RpcError as error:
        yield _problem(resource, error)


def _failures(resource: Recorded, checked: provider_pb2.CheckResponse) -> Iterator[Problem]:
    for failure in checked.failures:
        yield Problem(resource.type, resource.name, failure.property, failure.reason)


def _problem(resource: Recorded, error: grpc.RpcError) -> Problem:
    return Problem(resource.type, resource.name, "", str(error.details() if isinstance(error, grpc.Call) else error))


_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_START_SECONDS = 120.0

# The provider wants credentials before it validates anything, and looks up the region. No request is sent.
_WITHOUT_CLOUD = {"GOOGLE_OAUTH_ACCESS_TOKEN": "not-used", "PULUMI_GCP_SKIP_REGION_VALIDATION": "true"}


class PluginError(Exception):
    """The provider did not start. The message says what it printed."""


class _Engine(engine_pb2_grpc.EngineServicer):
    """The engine's gRPC service that a plugin calls. It accepts log messages."""

    def Log(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802, ARG002
        return empty_pb2.Empty()


@contextmanager
def plugin(binary: Path) -> Iterator[ResourceProviderStub]:
    """The running provider of a plugin's binary. Raises `PluginError` where it prints no port."""
    engine = grpc.server(futures.ThreadPoolExecutor(4))
    engine_pb2_grpc.add_EngineServicer_to_server(_Engine(), engine)
    port = engine.add_insecure_port("127.0.0.1:0")
    engine.start()
    # A file, because the errors are read only after the plugin failed.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        try:
            process = subprocess.Popen(
                [str(binary), f"127.0.0.1:{port}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **_WITHOUT_CLOUD},
            )
        except OSError as error:
            engine.stop(None)
            raise PluginError(f"{binary} cannot be run: {error.strerror}") from error
        try:
            with grpc.insecure_channel(f"127.0.0.1:{_port(process, binary, errors)}", options=_UNLIMITED) as channel:
                grpc.channel_ready_future(channel).result(_START_SECONDS)
                yield ResourceProviderStub(channel)
        finally:
            process.kill()
            process.wait()
            engine.stop(None)


def _port(process: subprocess.Popen[str], binary: Path, errors: IO[str]) -> int:
    """The port that a plugin prints as its first line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if line.strip().isdigit():
        return int(line)
    process.kill()
    process.wait()
    errors.seek(0)
    printed = (line + errors.read()).strip()
    raise PluginError(f"{binary} printed no port and ended: {printed or 'it printed nothing'}")
