"""Traffic for a stack that runs: at a rate, or as fast as a number of clients gets answers. One sample a request."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType

import httpx

from llm_d_gke.waiting import wait_until

# A request that has not been answered after this many seconds counts as lost.
PATIENCE = 60.0


@dataclass(frozen=True)
class Request:
    """One chat request and its destination: the Gateway, or a pod.

    `trusted`: whether a certificate must verify. `stream`: the answer counts as one when its last event has arrived.
    """

    address: str
    model: str
    prompt: str
    max_tokens: int = 16
    headers: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = True
    stream: bool = False


@dataclass(frozen=True)
class Sample:
    """The result of a request. `began` is on the monotonic clock; status 0 is a broken connection."""

    began: float
    seconds: float
    status: int
    pod: str = ""

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
    if request.stream:
        return await _stream(client, request, body | {"stream": True}, began)
    try:
        response = await client.post(f"{request.address}/v1/chat/completions", json=body, headers=dict(request.headers))
    except httpx.HTTPError:
        return Sample(began, time.monotonic() - began, 0)
    return Sample(began, time.monotonic() - began, response.status_code, response.headers.get("x-inference-pod", ""))


async def _stream(client: httpx.AsyncClient, request: Request, body: dict[str, object], began: float) -> Sample:
    """A stream that breaks off before its last event is no answer."""
    last, url = "", f"{request.address}/v1/chat/completions"
    try:
        async with client.stream("POST", url, json=body, headers=dict(request.headers)) as response:
            async for line in response.aiter_lines():
                last = line or last
    except httpx.HTTPError:
        return Sample(began, time.monotonic() - began, 0)
    whole = response.status_code != httpx.codes.OK or last == "data: [DONE]"
    pod = response.headers.get("x-inference-pod", "")
    return Sample(began, time.monotonic() - began, response.status_code if whole else 0, pod)


def _client(*, trusted: bool = True) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(timeout=PATIENCE, trust_env=False, limits=limits, verify=trusted)


def at_rate(requests: Iterable[Request], per_second: float) -> list[Sample]:
    """Send all, one every 1/rate seconds whether or not those before are answered; in the order of the requests."""

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


class Steady:
    """Traffic at a rate in the background, from `with` to its end.

    `samples` holds the requests that have ended so far, in the order in which they ended; every request once the `with`
    block is left.
    """

    def __init__(self, prototype: Request, per_second: float = 20.0, *, streams: int = 0) -> None:
        """`streams`: 4 for a stream in every fourth request, 0 for no streams."""
        self._streams = streams
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

    def await_answers(self, count: int, since: float = 0.0) -> None:
        """Wait until `count` requests that were sent after a moment have been answered. Raises TimeoutError."""
        wait_until(
            lambda: len(self.answers(since)) >= count,
            timeout=2 * PATIENCE,
            on_timeout=lambda: TimeoutError(f"not {count} answers within {2 * PATIENCE:.0f} s"),
            longest_pause=0.1,
        )

    def change(self, prototype: Request) -> None:
        """Send requests like this one from now on."""
        self._prototype = prototype

    def _run(self) -> None:
        async def run() -> None:
            async with _client(trusted=self._prototype.trusted) as client:
                await _at_rate(client, self._requests(), self._rate, self._stopped.is_set, self.samples.append)

        asyncio.run(run())

    def _requests(self) -> Iterator[Request]:
        for number in itertools.count():
            request = self._prototype
            # Prompts differ from their first word on, so that only load decides the routing.
            stream = self._streams > 0 and number % self._streams == 0
            yield replace(request, prompt=f"{number} {request.prompt}", stream=stream)
