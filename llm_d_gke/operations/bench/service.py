"""A plain Service over the pods of a model: what a cluster has without an endpoint picker."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from llm_d_gke.operations.bench.result import BenchError
from llm_d_gke.operations.live_stack.stack import LiveStack, is_ready
from llm_d_gke.planning.plan.stack import ModelPlan

_CHUNK = 64 * 1024
_START_SECONDS = 10.0


class PlainService:
    """Leads each new connection to one of the pods at random, as kube-proxy does for a Service.

    `addresses` are `host:port`. Usable while its `with` block runs; `url` is where it listens.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = tuple(addresses)
        self._random = random.Random(1)  # noqa: S311 - nothing secret
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plain-service", daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(_START_SECONDS):
            raise TimeoutError("the plain Service does not listen")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_START_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connect, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._random.choice(self._addresses).rpartition(":")
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, upstream_writer), _copy(upstream_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.CancelledError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def service_addresses(live: LiveStack, model: ModelPlan) -> list[str]:
    """Addresses of the ready pods of a model, as its Service would have them. Raises BenchError without such pods."""
    if len(model.servers) > 1 or any(server.protocol == "https" for server in model.servers):
        raise BenchError(
            f"{model.served_name} cannot be measured by a plain Service: a Service knows no prefill and decode, and no"
            " certificates of pods; leave --service out"
        )
    [server] = model.servers
    pods = [pod for pod in live.pods_of(server.serving_selector) if is_ready(pod)]
    if not pods:
        raise BenchError(f"no pod of {model.served_name} is ready: {live.diagnose}")
    return [live.pods.address(pod, port.number) for pod in pods for port in server.serving_ports]
