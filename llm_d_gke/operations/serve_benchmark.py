"""Benchmarks a stack: `python -m llm_d_gke.operations.serve_benchmark [prefix|throughput|picker|failure]`.

Every part starts the example prefix-cache-gpu with its changes, sends its traffic and prints the rows that
docs/measurements.md states. Engines are simulated: their latencies are the plan's estimate, so that what is measured is
routing, not hardware. On two cores a few tens of requests a second are what all of this can carry.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from llm_d_gke.operations.traffic import Request, Sample, Steady, ask_in_turn, at_rate, by_clients
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.kube import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.stackfile import PROJECT_ROOT

STACK = "prefix-cache-gpu"
MODEL = "Qwen/Qwen2.5-3B-Instruct"
_ENGINES, _PICKERS = "llm-d.ai/inference-serving=true", "app.kubernetes.io/name=endpoint-picker"

# The shared-prefix workload: groups of prompts with a common prefix, and popularity by Zipf's law.
PREFIX_WORDS = 1400
PROMPTS = 600
ZIPF = 0.4
UTILIZATION = 0.55
RATE = 30.0


@dataclass(frozen=True)
class Serving:
    """A stack that is up: where it answers, and the addresses of its pods by name."""

    address: str
    pods: dict[str, str]


@contextmanager
def serving(*changes: str) -> Iterator[Serving]:
    """A running stack with changed values. The last user of the context stops it."""
    _rehearsal("up", STACK, *(word for change in changes for word in ("-c", f"llm-d:{change}")))
    address = _rehearsal("endpoint", STACK).strip()
    with client(StackPaths(STACK)) as kube:
        pods = kube.list("v1", "Pod", labels=_ENGINES)
    yield Serving(
        address,
        {
            pod["metadata"]["name"]: f"http://{pod['status']['podIP']}:8000"
            for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
            if not pod["metadata"].get("deletionTimestamp")
        },
    )


def _rehearsal(*arguments: str) -> str:
    argv = [sys.executable, "-m", "llm_d_gke.rehearsal", *arguments]
    done = subprocess.run(argv, cwd=PROJECT_ROOT, check=True, capture_output=True, text=True)
    return done.stdout


@dataclass(frozen=True)
class Trace:
    """Group of each prompt, in the order in which they are sent."""

    groups: tuple[int, ...]

    @classmethod
    def drawn(cls, groups: int, exponent: float, seed: int = 1) -> Trace:
        """Draw by Zipf's law: the frequency of the group of rank r is r ** -exponent times that of the first."""
        chance = random.Random(seed)  # noqa: S311 - a workload, no secret
        weights = [(rank + 1) ** -exponent for rank in range(groups)]
        return cls(tuple(chance.choices(range(groups), weights, k=PROMPTS)))

    def prompt(self, number: int, salt: str) -> str:
        """A long prefix common to the group, and a distinct question. `salt` separates the cache contents of runs."""
        words = random.Random(f"{salt} {self.groups[number]}")  # noqa: S311
        beginning = " ".join(words.choice(_WORDS) for _ in range(PREFIX_WORDS))
        return f"{salt} group {self.groups[number]}: {beginning} Question {number}?"

    def requests(self, salt: str, way: Callable[[int], str]) -> list[Request]:
        """All of it by one way, which gives the address for the number of a prompt."""
        return [
            Request(way(number), MODEL, self.prompt(number, salt), max_tokens=4) for number in range(len(self.groups))
        ]

    def partition(self, parts: int) -> dict[int, int]:
        """The replica of each group for an optimal router: no prefix is cached twice, the load is even."""
        load = [0] * parts
        assigned: dict[int, int] = {}
        for group, count in Counter(self.groups).most_common():
            assigned[group] = load.index(min(load))
            load[assigned[group]] += count
        return assigned


_WORDS = ("time", "year", "people", "way", "day", "man", "thing", "life", "world", "school", "state", "hand")


def prefix(fillings: Sequence[float] = (0.55, 0.8, 0.95)) -> None:
    """Cached tokens with the real picker, with round robin, and with an optimal router: same pods, same trace.

    `fillings`: what the beginnings of all groups take of the KV caches of all replicas, where each is kept once.
    """
    with serving(f"models[0].gpuMemoryUtilization={UTILIZATION}") as stack:
        pods = list(stack.pods.values())
        blocks, size = _cache()
        print(
            f"\n{PROMPTS} prompts (Zipf {ZIPF}), prefix of {PREFIX_WORDS} words, {RATE:g} requests/s, "
            f"{len(pods)} replicas with a KV cache of {blocks * size} tokens each\n"
        )
        print("| groups | filled | router | prompt tokens | cached | of all-knowing | time, median | lost |")
        print("|---|---|---|---|---|---|---|---|")
        for filling in fillings:
            groups = int(filling * len(pods) * blocks / math.ceil((PREFIX_WORDS + 20) / size))
            trace = Trace.drawn(groups, ZIPF)
            assignment = trace.partition(len(pods))
            ways: dict[str, Callable[[int], str]] = {
                "round robin": lambda number: pods[number % len(pods)],
                "all-knowing": lambda number, trace=trace, assignment=assignment: pods[
                    assignment[trace.groups[number]]
                ],  # type: ignore[misc]
                "endpoint picker": lambda _: stack.address,
            }
            samples = {name: at_rate(trace.requests(f"{name} {filling}", way), RATE) for name, way in ways.items()}
            cached = {name: sum(sample.cached_tokens for sample in some) for name, some in samples.items()}
            for name, some in samples.items():
                prompt_tokens = sum(sample.prompt_tokens for sample in some)
                print(
                    f"| {groups} | {filling:.0%} | {name} | {prompt_tokens} | {cached[name]} | "
                    f"{cached[name] / cached['all-knowing']:.1%} | {_median(some) * 1000:.0f} ms | "
                    f"{_unanswered(some)} |"
                )
            ratio = cached["endpoint picker"] / cached["round robin"]
            print(f"| {groups} | {filling:.0%} | picker to round robin | | {ratio:.2f} | | | |", flush=True)


def throughput(clients: Sequence[int] = (4, 96), warm_up: float = 8.0, seconds: float = 25.0) -> None:
    """Three replicas against one, below saturation and at it; through Gateway and picker both."""
    slots = 16
    rates: dict[tuple[int, int], float] = {}
    sizes = (
        (3, (f"models[0].maxNumSeqs={slots}",)),
        (1, (f"models[0].maxNumSeqs={slots}", "models[0].replicas=1", "pattern=single-replica")),
    )
    print(f"\n{slots} sequences a replica at once, {seconds:.0f} s after a warm-up of {warm_up:.0f} s\n")
    print("| replicas | clients | tokens/s | requests/s | time, median | lost |\n|---|---|---|---|---|---|")
    for replicas, changes in sizes:
        with serving(*changes) as stack:
            for number in clients:
                began = time.monotonic() + warm_up
                samples = by_clients(_unlike(stack.address), number, warm_up + seconds)
                # Only completed requests: those still waiting at the end do not count.
                done = [sample for sample in samples if sample.answered and began <= sample.ended < began + seconds]
                rates[replicas, number] = sum(sample.output_tokens for sample in done) / seconds
                print(
                    f"| {replicas} | {number} | {rates[replicas, number]:.0f} | {len(done) / seconds:.2f} | "
                    f"{_median(done):.2f} s | {_unanswered(samples)} |",
                    flush=True,
                )
    for number in clients:
        print(f"\n{number} clients: three replicas to one {rates[3, number] / rates[1, number]:.2f}", flush=True)


def picker(pairs: int = 300) -> None:
    """The latency that Gateway and picker add to a request, compared with alternating requests to the same pod."""
    with serving() as stack:
        direct = next(iter(stack.pods.values()))
        ways = itertools.cycle([stack.address, direct])
        requests = [
            Request(next(ways), MODEL, f"{number // 2} a short question.", max_tokens=1) for number in range(2 * pairs)
        ]
        samples = ask_in_turn(requests)
        both = {"Gateway and picker": samples[0::2], "pod directly": samples[1::2]}
        print(f"\none request at a time, {pairs} each way, 1 token\n")
        print("| way | median | 90th percentile | lost |\n|---|---|---|---|")
        for name, some in both.items():
            times = sorted(sample.seconds * 1000 for sample in some if sample.answered)
            print(
                f"| {name} | {statistics.median(times):.1f} ms | {times[len(times) * 9 // 10]:.1f} ms | "
                f"{_unanswered(some)} |"
            )
        added = [_median(some) * 1000 for some in both.values()]
        print(f"\nadded at the median: {added[0] - added[1]:.1f} ms", flush=True)


def failure(rounds: int = 5, rate: float = 20.0) -> None:
    """One of three replicas killed under load: what is lost before it is seen not ready, and after."""
    print(f"\none of three replicas killed, {rate:g} requests/s\n")
    print("| round | not ready after | lost before | lost after | requests |\n|---|---|---|---|---|")
    with serving() as stack:
        for number in range(1, rounds + 1):
            victim = sorted(stack.pods)[number % 3]
            with Steady(Request(stack.address, MODEL, "is the number."), rate) as load:
                time.sleep(3.0)
                killed = time.monotonic()
                _kill(victim)
                _until(lambda name=victim: name not in _ready())  # type: ignore[misc]
                noticed = time.monotonic()
                _until(lambda: len(_ready()) == 3)
                time.sleep(3.0)
            before = [sample for sample in load.unanswered if sample.began <= noticed]
            print(
                f"| {number} | {noticed - killed:.2f} s | {len(before)} | {len(load.unanswered) - len(before)} | "
                f"{len(load.samples)} |",
                flush=True,
            )


def _cache() -> tuple[int, int]:
    """Blocks of one simulated engine's KV cache, and tokens of a block."""
    plan = json.loads(StackPaths(STACK).simulation.read_text(encoding="utf-8"))[MODEL]
    return int(plan["kv_cache_blocks"]), int(plan["block_size"])


def _unlike(address: str) -> Iterator[Request]:
    """Prompts that share nothing, so that only load tells replicas apart; answers have 48 to 144 tokens."""
    for number in itertools.count():
        yield Request(address, MODEL, f"{number} is the number of this question.", 48 + number * 61 % 97)


def _ready() -> set[str]:
    with client(StackPaths(STACK)) as kube:
        pods = kube.list("v1", "Pod", labels=_ENGINES)
    return {
        pod["metadata"]["name"]
        for pod in pods
        for condition in pod["status"].get("conditions", [])
        if condition["type"] == "Ready" and condition["status"] == "True"
    }


def _kill(pod: str) -> None:
    [process] = [process for process in processes.listing(StackPaths(STACK)) if pod in process.name]
    os.kill(process.pid, signal.SIGKILL)


def _until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the stack did not come to rest")
        time.sleep(0.02)


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.seconds for sample in samples if sample.answered)


def _unanswered(samples: Sequence[Sample]) -> int:
    return sum(not sample.answered for sample in samples)


def main() -> None:
    parts: dict[str, Callable[[], None]] = {
        "prefix": prefix,
        "throughput": throughput,
        "picker": picker,
        "failure": failure,
    }
    try:
        for name in sys.argv[1:] or parts:
            parts[name]()
    finally:
        _rehearsal("down", STACK)


if __name__ == "__main__":
    main()
