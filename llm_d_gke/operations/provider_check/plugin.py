"""Runs a provider plugin and connects to it, as Pulumi's engine does."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2_grpc
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_START_SECONDS = 120.0

# The provider wants credentials before it validates anything, and looks up the region. No request is sent.
_WITHOUT_CLOUD = {"GOOGLE_OAUTH_ACCESS_TOKEN": "not-used", "PULUMI_GCP_SKIP_REGION_VALIDATION": "true"}


class PluginError(Exception):
    """The provider did not start. The message says what it printed."""


class _Engine(engine_pb2_grpc.EngineServicer):
    """What a plugin asks of the engine: to take its messages."""

    def Log(self, request: Any, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802, ARG002
        return empty_pb2.Empty()


@contextmanager
def plugin(binary: Path, environment: Mapping[str, str] | None = None) -> Iterator[ResourceProviderStub]:
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
                env={**os.environ, **_WITHOUT_CLOUD, **(environment or {})},
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
