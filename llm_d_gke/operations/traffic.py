"""Traffic for a stack that runs: at a rate, or as fast as a number of clients gets answers. One sample a request."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

import httpx

# A request that has not been answered after this many seconds counts as lost.
PATIENCE = 60.0


@dataclass(frozen=True)
class Request:
    """One chat request and its destination: the Gateway, or a pod."""

    address: str
    model: str
    prompt: str
    max_tokens: int = 16


@dataclass(frozen=True)
class Sample:
    """The result of a request. `began` is on the monotonic clock; status 0 is a broken connection."""

    began: float
    seconds: float
    status: int
    pod: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    @property
    def answered(self) -> bool:
        return self.status == httpx.codes.OK

    @property
    def ended(self) -> float:
        return self.began + self.seconds


async def ask(client: httpx.AsyncClient, request: Request) -> Sample:
    """Send one request; never raises for what the network or the other side does."""
    body = {
        "model": request.model,
        "messages": [{"role": "user", "content": request.prompt}],
        "max_tokens": request.max_tokens,
        # The full requested length, so that all requests are equal work.
        "ignore_eos": True,
    }
    began = time.monotonic()
    try:
        response = await client.post(f"{request.address}/v1/chat/completions", json=body)
        usage = response.json()["usage"] if response.status_code == httpx.codes.OK else {}
    except (httpx.HTTPError, ValueError):
        return Sample(began, time.monotonic() - began, 0)
    return Sample(
        began,
        time.monotonic() - began,
        response.status_code,
        response.headers.get("x-inference-pod", ""),
        int(usage.get("prompt_tokens", 0)),
        int((usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)),
        int(usage.get("completion_tokens", 0)),
    )


def _client() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(timeout=PATIENCE, trust_env=False, limits=limits)


def at_rate(requests: Iterable[Request], per_second: float) -> list[Sample]:
    """Send all, one every 1/rate seconds whatever becomes of those before; in the order of the requests."""

    async def run() -> list[Sample]:
        async with _client() as client:
            return await _at_rate(client, iter(requests), per_second, lambda: False)

    return asyncio.run(run())


def ask_in_turn(requests: Iterable[Request]) -> list[Sample]:
    """One after the other, over connections that stay open."""

    async def run() -> list[Sample]:
        async with _client() as client:
            return [await ask(client, request) for request in requests]

    return asyncio.run(run())


async def _at_rate(
    client: httpx.AsyncClient,
    requests: Iterator[Request],
    per_second: float,
    stop: Callable[[], bool],
    ended: Callable[[Sample], None] = lambda _: None,
) -> list[Sample]:
    async def send(request: Request) -> Sample:
        sample = await ask(client, request)
        ended(sample)
        return sample

    running: list[asyncio.Task[Sample]] = []
    start = time.monotonic()
    for number, request in enumerate(requests):
        await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
        if stop():
            break
        running.append(asyncio.create_task(send(request)))
    return [await task for task in running]


def by_clients(requests: Iterator[Request], clients: int, seconds: float) -> list[Sample]:
    """So many clients, each sending its next request when the last was answered, for that many seconds."""

    async def run() -> list[Sample]:
        samples: list[Sample] = []
        end = time.monotonic() + seconds

        async def next_request(client: httpx.AsyncClient) -> None:
            while time.monotonic() < end:
                samples.append(await ask(client, next(requests)))

        async with _client() as client:
            await asyncio.gather(*(next_request(client) for _ in range(clients)))
        return samples

    return asyncio.run(run())


class Steady:
    """Traffic at a rate in the background, from `with` to its end.

    `samples` holds the requests that have ended so far, in the order in which they ended; every request once the `with`
    block is left.
    """

    def __init__(self, prototype: Request, per_second: float = 20.0) -> None:
        self.samples: list[Sample] = []
        self._prototype, self._rate = prototype, per_second
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Steady:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join(PATIENCE + 5)

    @property
    def unanswered(self) -> list[Sample]:
        return [sample for sample in self.samples if not sample.answered]

    def answers(self, since: float = 0.0) -> list[Sample]:
        """Requests that were sent after a moment of the monotonic clock and have been answered."""
        return [sample for sample in list(self.samples) if sample.answered and sample.began > since]

    def _run(self) -> None:
        async def run() -> None:
            async with _client() as client:
                await _at_rate(client, self._requests(), self._rate, self._stopped.is_set, self.samples.append)

        asyncio.run(run())

    def _requests(self) -> Iterator[Request]:
        request = self._prototype
        for number in itertools.count():
            # Prompts differ from their first word on, so that only load decides the routing.
            yield Request(request.address, request.model, f"{number} {request.prompt}", request.max_tokens)
