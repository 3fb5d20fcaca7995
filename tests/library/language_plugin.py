"""Serves Pulumi's Python language host as a plugin: the engine starts it, and reads its port from the first line.

The host that comes with Pulumi's CLI is in no package registry. Commands that take no `--client`, such as
`pulumi import`, start it from PATH. Use: `language_plugin.py PROGRAM`.
"""

from __future__ import annotations

import contextlib
import sys
from concurrent import futures
from pathlib import Path

import grpc
from pulumi.runtime.proto import language_pb2_grpc

from tests.library.language_host import ProgramHost

RUNNER = Path(__file__).with_name("run_python.py")


def main() -> None:
    program = Path(sys.argv[1])
    # The engine's own address is the last argument; each request names it again.
    host = ProgramHost(
        lambda request, engine: [
            sys.executable,
            str(RUNNER),
            request.monitor_address,
            engine or sys.argv[-1],
            str(program),
        ],
        program.parent,
    )
    server = grpc.server(futures.ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    with contextlib.suppress(KeyboardInterrupt):
        server.wait_for_termination()


if __name__ == "__main__":
    main()
