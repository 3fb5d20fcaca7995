"""Routing of a rehearsed stack with three replicas: cached prefixes, throughput, added latency, a killed replica.

Every part starts the example prefix-cache-gpu with its changes, sends its traffic and prints the rows that
docs/measurements.md states. Engines are simulated: their latencies are the plan's estimate, so that what is measured is
routing, not hardware. On two cores a few tens of requests a second are what all of this can carry.
"""

from __future__ import annotations

import itertools
import json
import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from llm_d_gke.cli.markdown import print_head, print_row
from llm_d_gke.kube import Kube
from llm_d_gke.maintenance.measure.rehearsed import ENGINES, kill_process, options, pods, ready_pods, running, wait_for
from llm_d_gke.maintenance.measure.trace import Trace
from llm_d_gke.maintenance.measure.traffic import Request, Sample, Steady, ask_in_turn, at_rate, by_clients
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.terminal.status import reachable

STACK = "prefix-cache-gpu"
MODEL = "Qwen/Qwen2.5-3B-Instruct"

# The shared-prefix workload: groups of prompts with a common prefix, and popularity by Zipf's law.
PREFIX_WORDS = 1400
PROMPTS = 600
ZIPF = 0.4
UTILIZATION = 0.55
RATE = 30.0


@dataclass(frozen=True)
class Serving:
    """A running stack: its cluster, the Gateway's address, and engine addresses by pod name."""

    address: str
    engines: dict[str, str]
    kube: Kube

    def ready(self) -> set[str]:
        return ready_pods(self.kube, ENGINES)


@contextmanager
def serving(*changes: str) -> Iterator[Serving]:
    """The running stack with changed settings, from `up` to `down`."""
    with running(STACK, *options(changes)) as paths, client(paths) as kube:
        engines = {pod["metadata"]["name"]: f"http://{pod['status']['podIP']}:8000" for pod in pods(kube, ENGINES)}
        yield Serving(reachable(paths), engines, kube)


def prefix(fillings: Sequence[float] = (0.55, 0.8, 0.95)) -> None:
    """Cached tokens with the real picker, with round robin, and with an optimal router: same pods, same trace.

    `fillings`: what the beginnings of all groups take of the KV caches of all replicas, where each is kept once.
    """
    with serving(f"models[0].gpuMemoryUtilization={UTILIZATION}") as stack:
        engines = list(stack.engines.values())
        blocks, size = _cache()
        print(
            f"\n{PROMPTS} prompts (Zipf {ZIPF}), prefix of {PREFIX_WORDS} words, {RATE:g} requests/s, "
            f"{len(engines)} replicas with a KV cache of {blocks * size} tokens each"
        )
        columns = ("prompt tokens", "cached", "of all-knowing", "busiest replica / mean", "time, median", "lost")
        print_head("groups", "filled", "router", *columns)
        for filling in fillings:
            groups = int(filling * len(engines) * blocks / math.ceil((PREFIX_WORDS + 20) / size))
            trace = Trace.drawn(groups, ZIPF, PROMPTS, PREFIX_WORDS, seed=1)
            assignment = trace.partition(len(engines))
            ways: dict[str, Callable[[int], str]] = {
                "round robin": lambda number: engines[number % len(engines)],
                "all-knowing": lambda number, trace=trace, assignment=assignment: engines[
                    assignment[trace.groups[number]]
                ],  # type: ignore[misc]
                "endpoint picker": lambda _: stack.address,
            }
            samples = {name: at_rate(_requests(trace, f"{name} {filling}", way), RATE) for name, way in ways.items()}
            cached = {name: sum(sample.cached_tokens for sample in some) for name, some in samples.items()}
            for name, some in samples.items():
                print_row(
                    groups,
                    f"{filling:.0%}",
                    name,
                    sum(sample.prompt_tokens for sample in some),
                    cached[name],
                    f"{cached[name] / cached['all-knowing']:.1%}",
                    f"{imbalance(some, len(engines)):.2f}",
                    f"{_median(some) * 1000:.0f} ms",
                    _unanswered(some),
                )
            ratio = cached["endpoint picker"] / cached["round robin"]
            print_row(groups, f"{filling:.0%}", "picker to round robin", "", f"{ratio:.2f}", "", "", "", "")


def throughput(clients: Sequence[int] = (4, 96), warm_up: float = 8.0, seconds: float = 25.0) -> None:
    """Three replicas against one, below saturation and at it; through Gateway and picker both."""
    slots = 16
    rates: dict[tuple[int, int], float] = {}
    sizes = (
        (3, (f"models[0].maxNumSeqs={slots}",)),
        (1, (f"models[0].maxNumSeqs={slots}", "models[0].replicas=1", "pattern=single-replica")),
    )
    print(f"\n{slots} sequences a replica at once, {seconds:.0f} s after a warm-up of {warm_up:.0f} s")
    print_head("replicas", "clients", "tokens/s", "requests/s", "time, median", "lost")
    for replicas, changes in sizes:
        with serving(*changes) as stack:
            for number in clients:
                began = time.monotonic() + warm_up
                samples = by_clients(_unrelated_prompts(stack.address), number, warm_up + seconds)
                # Only completed requests: those still waiting at the end do not count.
                done = [sample for sample in samples if sample.answered and began <= sample.ended < began + seconds]
                rates[replicas, number] = sum(sample.output_tokens for sample in done) / seconds
                print_row(
                    replicas,
                    number,
                    f"{rates[replicas, number]:.0f}",
                    f"{len(done) / seconds:.2f}",
                    f"{_median(done):.2f} s",
                    _unanswered(samples),
                )
    for number in clients:
        print(f"\n{number} clients: three replicas to one {rates[3, number] / rates[1, number]:.2f}", flush=True)


def picker(pairs: int = 300) -> None:
    """The latency that Gateway and picker add to a request, compared with alternating requests to the same pod."""
    with serving() as stack:
        direct = next(iter(stack.engines.values()))
        ways = itertools.cycle([stack.address, direct])
        requests = [
            Request(next(ways), MODEL, f"{number // 2} a short question.", max_tokens=1) for number in range(2 * pairs)
        ]
        samples = ask_in_turn(requests)
        both = {"Gateway and picker": samples[0::2], "pod directly": samples[1::2]}
        print(f"\none request at a time, {pairs} each way, 1 token")
        print_head("way", "median", "90th percentile", "lost")
        for name, some in both.items():
            times = sorted(sample.seconds * 1000 for sample in some if sample.answered)
            quantiles = (statistics.median(times), times[len(times) * 9 // 10])
            print_row(name, *(f"{quantile:.1f} ms" for quantile in quantiles), _unanswered(some))
        added = [_median(some) * 1000 for some in both.values()]
        print(f"\nadded at the median: {added[0] - added[1]:.1f} ms", flush=True)


def failure(rounds: int = 5, rate: float = 20.0) -> None:
    """One of three replicas killed under load: what is lost before it is seen not ready, and after."""
    print(f"\none of three replicas killed, {rate:g} requests/s")
    print_head("round", "not ready after", "lost before", "lost after", "requests")
    with serving() as stack:
        for number in range(1, rounds + 1):
            victim = sorted(stack.engines)[number % 3]
            with Steady(Request(stack.address, MODEL, "is the number."), rate) as load:
                load.await_answers(60)
                killed = time.monotonic()
                kill_process(StackPaths(STACK), victim)
                wait_for(lambda name=victim: name not in stack.ready())  # type: ignore[misc]
                noticed = time.monotonic()
                wait_for(lambda: len(stack.ready()) == 3)
                load.await_answers(60, since=time.monotonic())
            before = sum(sample.began <= noticed for sample in load.unanswered)
            after = len(load.unanswered) - before
            print_row(number, f"{noticed - killed:.2f} s", before, after, len(load.samples))


def _cache() -> tuple[int, int]:
    """Blocks of one simulated engine's KV cache, and tokens of a block."""
    [models] = json.loads(StackPaths(STACK).simulation.read_text(encoding="utf-8")).values()
    plan = models[MODEL]
    return int(plan["kv_cache_blocks"]), int(plan["block_size"])


def _unrelated_prompts(address: str) -> Iterator[Request]:
    """Prompts without a shared prefix, so that replicas differ in load only. Answers have 48 to 144 tokens."""
    for number in itertools.count():
        yield Request(address, MODEL, f"{number} is the number of this question.", 48 + number * 61 % 97)


def _requests(trace: Trace, salt: str, way: Callable[[int], str]) -> list[Request]:
    """All prompts by one way, which gives the address for a prompt's number. `salt` keeps caches of runs apart."""
    return [
        Request(way(number), MODEL, f"{salt} {trace.prompt(number)}", max_tokens=4)
        for number in range(len(trace.groups))
    ]


def imbalance(samples: Sequence[Sample], replicas: int) -> float:
    """Answers of the busiest replica, divided by the mean."""
    answers = Counter(sample.pod for sample in samples if sample.answered)
    return max(answers.values(), default=0) * replicas / max(1, answers.total())


def _median(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.seconds for sample in samples if sample.answered)


def _unanswered(samples: Sequence[Sample]) -> int:
    return sum(not sample.answered for sample in samples)
