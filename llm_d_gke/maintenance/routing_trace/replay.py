"""One replay: a trace at its rate against a separate picker, with one configuration, and separate engines."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import yaml

from llm_d_gke.catalog.release import PickerRelease
from llm_d_gke.maintenance.routing_trace.engines import Engine, PrefixCache
from llm_d_gke.maintenance.routing_trace.extension import CalloutRefusedError, Picker
from llm_d_gke.maintenance.routing_trace.kube_api import NAMESPACE, POOL, KubeApi
from llm_d_gke.maintenance.routing_trace.trace import Trace

_MODEL = "model"
_START_SECONDS = 60.0


class PickerError(RuntimeError):
    """A picker that does not start. The text has the last lines of its log."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The replicas, their cache sizes, and the duration of an answer in seconds."""

    replicas: int
    blocks: int
    block_tokens: int
    answer_seconds: float

    def cache(self) -> PrefixCache:
        return PrefixCache(self.blocks, self.block_tokens)


@dataclass(frozen=True, kw_only=True)
class Result:
    """Cached tokens of all prompts, requests of each replica, and requests that the picker refused."""

    cached: int
    requests: tuple[int, ...]
    refused: int

    @property
    def imbalance(self) -> float:
        """Requests of the busiest replica, divided by the mean."""
        return max(self.requests) * len(self.requests) / max(1, sum(self.requests))


def with_oracle(trace: Trace, site: Site) -> Result:
    """What a router would get that knows the trace in advance."""
    assigned = trace.partition(site.replicas)
    return _assigned(trace, site, [assigned[group] for group in trace.groups])


def with_service(trace: Trace, site: Site) -> Result:
    """What a plain Service would get: a replica by chance for each request, as kube-proxy chooses for a connection."""
    chance = random.Random(1)  # noqa: S311 - no secret
    return _assigned(trace, site, [chance.randrange(site.replicas) for _ in trace.groups])


def _assigned(trace: Trace, site: Site, replicas: Sequence[int]) -> Result:
    caches = [site.cache() for _ in range(site.replicas)]
    cached = sum(caches[replica].take(trace.prompt(number)) for number, replica in enumerate(replicas))
    requests = tuple(replicas.count(replica) for replica in range(site.replicas))
    return Result(cached=cached, requests=requests, refused=0)


async def with_picker(
    trace: Trace, site: Site, rate: float, binary: Path, release: PickerRelease, config: Mapping[str, Any]
) -> Result:
    """Send all prompts, one every 1/`rate` seconds, where the picker says. Raises PickerError if it does not start."""
    ips = [f"127.0.0.{11 + number}" for number in range(site.replicas)]
    port = free_port(ips)
    engines = {f"{ip}:{port}": Engine(ip, port, site.cache(), _MODEL) for ip in ips}
    refused = 0

    async def ask(picker: Picker, number: int) -> int:
        nonlocal refused
        prompt = trace.prompt(number)
        try:
            async with picker.endpoint(_MODEL, prompt, f"prompt-{number}") as endpoint:
                engine = engines[endpoint]
                cached = engine.begin(number, prompt)
                await asyncio.sleep(site.answer_seconds)
                engine.end(number)
                return cached
        except (CalloutRefusedError, grpc.aio.AioRpcError):
            refused += 1
            return 0

    try:
        async with running(ips, port, binary, release, config) as (picker, _):
            start = time.monotonic()
            tasks: list[asyncio.Task[int]] = []
            for number in range(len(trace.groups)):
                await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
                tasks.append(asyncio.create_task(ask(picker, number)))
            cached = sum([await task for task in tasks])
    finally:
        for engine in engines.values():
            engine.close()
    requests = tuple(engine.requests for engine in engines.values())
    return Result(cached=cached, requests=requests, refused=refused)


@asynccontextmanager
async def running(
    ips: Sequence[str], port: int, binary: Path, release: PickerRelease, config: Mapping[str, Any]
) -> AsyncIterator[tuple[Picker, KubeApi]]:
    """The picker, once it names an endpoint, and its cluster. Without pods it only has to serve."""
    api = KubeApi(ips, port, release.objective_groups)
    grpc_port, health_port, metrics_port = (free_port([""]) for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "picker.yaml").write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
        (home / "kubeconfig").write_text(yaml.safe_dump(_kubeconfig(api.address)), encoding="utf-8")
        arguments = [
            str(binary),
            f"--pool-name={POOL}",
            f"--pool-namespace={NAMESPACE}",
            *release.flags,
            f"--config-file={home / 'picker.yaml'}",
            "--secure-serving=false",
            "--metrics-endpoint-auth=false",
            f"--grpc-port={grpc_port}",
            f"--grpc-health-port={health_port}",
            f"--metrics-port={metrics_port}",
        ]
        variables = {"KUBECONFIG": str(home / "kubeconfig"), "NAMESPACE": NAMESPACE, "POD_NAME": "picker"}
        with (home / "log").open("wb") as log:
            child = subprocess.Popen(arguments, env={**os.environ, **variables}, stdout=log, stderr=log)
        picker = Picker(grpc_port)
        try:
            await _answers(picker, child, home / "log", empty=not ips)
            yield picker, api
        finally:
            await picker.close()
            # A picker that is asked to end serves for a while yet, and other replays must not wait for it.
            child.kill()
            await asyncio.to_thread(child.wait)
            api.stop()


async def _answers(picker: Picker, child: subprocess.Popen[bytes], log: Path, *, empty: bool) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            async with asyncio.timeout(1.0), picker.endpoint(_MODEL, "Say hello.", "first"):
                return
        except (CalloutRefusedError, grpc.aio.AioRpcError, TimeoutError) as error:
            # Without a replica it refuses the request, or lets it wait.
            if empty and not isinstance(error, grpc.aio.AioRpcError):
                return
            if child.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
                raise PickerError("\n".join(["the picker does not answer; its log ends with", *last])) from error
            await asyncio.sleep(0.1)


def _kubeconfig(address: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "trace", "cluster": {"server": address}}],
        "contexts": [{"name": "trace", "context": {"cluster": "trace", "user": "trace"}}],
        "users": [{"name": "trace", "user": {}}],
        "current-context": "trace",
    }


def free_port(ips: Sequence[str]) -> int:
    """A port that is free at all addresses. The system gives none of this range to connections."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        try:
            for ip in ips:
                with socket.socket() as trial:
                    trial.bind((ip, port))
        except OSError:
            continue
        return port
