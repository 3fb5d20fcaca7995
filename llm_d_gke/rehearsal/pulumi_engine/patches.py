"""Corrections to private parts of the Pulumi SDK, applied only while an engine runs.

Checked with the same version as `llm_d_gke/pulumi_speed.py`. With another one, look at these places first:
- sdk/python/lib/pulumi/automation/_server.py, class LanguageServer
- sdk/python/lib/pulumi/automation/_stack.py, which creates it
Source: https://github.com/pulumi/pulumi/tree/v3.272.0/sdk/python/lib/pulumi/automation
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
from collections.abc import Iterable, Iterator

import grpc
from pulumi.automation import _stack
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2

from llm_d_gke.pulumi_speed import CHECKED_VERSION
from llm_d_gke.rehearsal.errors import RehearsalError


class ProgramServer(LanguageServer):
    """Pulumi's server for programs of this process, with the behavior of the real language host.

    Two corrections. The original reports an error twice, where the host bails out after the first report. When the
    engine ends under a program, the original stops the event loop and drops the tasks behind the first one that fails
    while it is canceled; the garbage collector then complains about them outside any loop.
    """

    _stopped: asyncio.AbstractEventLoop | None = None

    def _exception_handler(self, loop, context):  # type: ignore[no-untyped-def]
        self._stopped = loop
        super()._exception_handler(loop, context)  # type: ignore[no-untyped-call]

    def Run(self, request, context):  # type: ignore[no-untyped-def]  # noqa: N802 - gRPC's name
        try:
            result = super().Run(request, context)  # type: ignore[no-untyped-call]
        except grpc.RpcError:
            # The engine has already reported what stopped the loop.
            return language_pb2.RunResponse(bail=True)
        finally:
            if self._stopped is not None and not self._stopped.is_closed():
                _close(self._stopped)
        return language_pb2.RunResponse(bail=True) if result.error else result


@contextlib.contextmanager
def patched_language_server() -> Iterator[None]:
    """Let the Automation API serve programs by `ProgramServer`. Raises RehearsalError with an unchecked SDK."""
    version = importlib.metadata.version("pulumi")
    if version != CHECKED_VERSION or not hasattr(_stack, "LanguageServer"):
        raise RehearsalError(
            f"pulumi {version} is installed, and the patches in llm_d_gke/rehearsal/pulumi_engine/patches.py are"
            f" checked with {CHECKED_VERSION}: install {CHECKED_VERSION}, or check the patches and"
            " change the version there"
        )
    _stack.LanguageServer = ProgramServer
    try:
        yield
    finally:
        _stack.LanguageServer = LanguageServer


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the remaining tasks of a loop, wait for them, and close it."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(_gather(tasks))
    loop.close()


async def _gather(tasks: Iterable[asyncio.Task[object]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
