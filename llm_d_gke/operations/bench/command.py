"""Implements the command `bench`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from llm_d_gke.catalog.metrics import ENGINE, load_metrics
from llm_d_gke.cli.exits import DONE, UNMET
from llm_d_gke.cli.files import write_file
from llm_d_gke.file_locks import locked
from llm_d_gke.go_yaml import dump_yaml
from llm_d_gke.metrics_text import total
from llm_d_gke.operations.bench.compare import differences, read_earlier
from llm_d_gke.operations.bench.job import RESULTS, commands, job_objects
from llm_d_gke.operations.bench.page import page
from llm_d_gke.operations.bench.result import BenchError, BenchResult, StageResult, read_stages
from llm_d_gke.operations.bench.run import TOOL, find_python, make_tokenizer, run_tool
from llm_d_gke.operations.bench.scenario import Target, configuration
from llm_d_gke.operations.bench.service import PlainService, service_addresses
from llm_d_gke.operations.bench.workload import comparable, find_model, remarks, workload_of
from llm_d_gke.operations.live_stack.find import open_stack
from llm_d_gke.operations.live_stack.stack import LiveStack, LiveStackError
from llm_d_gke.operations.verify.context import CheckContext
from llm_d_gke.planning.plan.stack import ModelPlan


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is sent, and where to. Unset values are those of the stack."""

    scenario: str
    model: str | None = None
    tokenizer: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Bench:
    """A load for one model of a running stack. Raises BenchError where it cannot be sent."""

    def __init__(self, live: LiveStack, load: Load) -> None:
        self.live, self.load = live, load
        self.url, self.headers = _destination(live, load)
        self.model = find_model(live.plan.models, load.model)
        self.scenario, self.tokens = workload_of(load.scenario, self.model)
        self.capacity = comparable(self.scenario, self.tokens, self.model.capacity)
        self.is_rehearsed = live.target == "rehearsal"

    def configuration(self, url: str, headers: Mapping[str, str], tokenizer: str, out: Path) -> dict[str, Any]:
        """The load generator's configuration for an address."""
        target = Target(url=url, model=self.model.served_name, headers=headers, tokenizer=tokenizer)
        return configuration(self.scenario, self.tokens, target, out)

    def result(
        self,
        stages: tuple[StageResult, ...],
        service: tuple[StageResult, ...] = (),
        cached_by_replica: Mapping[str, float] = MappingProxyType({}),
    ) -> BenchResult:
        """The result of a run, with the figures of a plain Service if one was measured."""
        return BenchResult(
            stack=self.live.name,
            model=self.model.served_name,
            scenario=self.load.scenario,
            place=self.load.url or self.live.target,
            target=self.load.url or self.live.looked_at,
            tool=TOOL,
            stages=stages,
            service=service,
            cached_by_replica=dict(cached_by_replica),
            remarks=tuple(remarks(self.scenario, self.tokens, self.model.capacity, rehearsed=self.is_rehearsed)),
        )


def _destination(live: LiveStack, load: Load) -> tuple[str, Mapping[str, str]]:
    """Address and headers of every request."""
    if load.url is not None:
        return load.url, load.headers
    if live.endpoint is None:
        raise BenchError(f"the Gateway of {live.name} has no address: {live.diagnose}")
    return live.endpoint.url, live.endpoint.headers_with(load.headers)


def only_run_into(folder: Path) -> AbstractContextManager[None]:
    """Hold a folder for the time of a run: two runs would read each other's files."""
    refusal = "another run of bench writes into {}: {}. Wait for it, or write into another folder with --out"
    return locked(folder / "bench.lock", lambda holder: BenchError(refusal.format(folder, holder)))


def run_bench(stack: str, load: Load, out: Path, *, service: bool, against: Path | None) -> int:
    """Measure a running stack, beside a plain Service if `service` is set. Exit status 2 as for `read_job`."""
    with open_stack(stack, {}) as live, ExitStack() as locks:
        bench = Bench(live, load)
        if against is not None:
            read_earlier(against, bench.result(()))
        python = find_python()
        addresses = service_addresses(live, bench.model) if service else []
        out.mkdir(parents=True, exist_ok=True)
        locks.enter_context(only_run_into(out))
        tokenizer = load.tokenizer or (
            make_tokenizer(python, out / "tokenizer") if bench.is_rehearsed else bench.model.id
        )

        def stages(url: str, headers: Mapping[str, str], folder: Path) -> tuple[StageResult, ...]:
            folder.mkdir(parents=True, exist_ok=True)
            for earlier in folder.glob("*_lifecycle_metrics.json"):
                earlier.unlink()
            settings = bench.configuration(url, headers, tokenizer, folder)
            run_tool(python, settings, folder, offline=bench.is_rehearsed)
            return read_stages(folder, bench.capacity)

        by_service: tuple[StageResult, ...] = ()
        if addresses:
            with PlainService(addresses) as plain:
                by_service = stages(plain.url, {}, out / "service")
        before = cache_counters(live, bench.model)
        measured = stages(bench.url, bench.headers, out)
        result = bench.result(measured, by_service, cached_shares(before, cache_counters(live, bench.model)))
    return _write(result, out, against)


def read_job(stack: str, load: Load, out: Path, *, results: Path, against: Path | None) -> int:
    """Read the files of a Job in `results`. Exit status 2 if requests failed or a figure is worse than `against`."""
    with open_stack(stack, {}) as live:
        bench = Bench(live, load)
        out.mkdir(parents=True, exist_ok=True)
        result = bench.result(read_stages(results, bench.capacity))
    return _write(result, out, against)


def write_job(stack: str, load: Load, out: Path, *, file: Path) -> int:
    """Write the Job of a load, and print the commands that run it and read its files."""
    with open_stack(stack, {}) as live:
        if live.target == "rehearsal" and load.url is None:
            raise BenchError("a rehearsed Gateway listens on this machine only, where no Job runs: add --url ADDRESS")
        bench = Bench(live, load)
        settings = bench.configuration(bench.url, bench.headers, load.tokenizer or bench.model.id, Path(RESULTS))
        name = f"load-{load.scenario}"
        documents = job_objects(live.plan, bench.scenario, settings, name, bench.url)
        write_file(file, dump_yaml(*documents))
        file.chmod(0o600)
        print(f"wrote {file}\n")
        read = f"llmd bench {live.name} {load.scenario} --results {out}"
        print("\n".join(commands(live.plan, name, file, out, read)))
    return DONE


def _write(result: BenchResult, out: Path, against: Path | None) -> int:
    compared = () if against is None else differences(read_earlier(against, result), result)
    (out / "result.json").write_text(result.as_json(), encoding="utf-8")
    (out / "report.html").write_text(page(result, compared), encoding="utf-8")
    print(f"bench {result.scenario} of {result.target}")
    for line in _lines(result):
        print(line)
    for difference in compared:
        print(f"{difference.concurrency:4d} in flight, {difference}")
    print(f"wrote {out / 'result.json'} and {out / 'report.html'}")
    worse = any(difference.verdict == "worse" for difference in compared)
    return UNMET if result.failures or worse else DONE


def _lines(result: BenchResult) -> Iterator[str]:
    for stage in result.stages:
        yield (
            f"{stage.concurrency:4d} in flight: {stage.requests_per_second:.2f} requests/s,"
            f" first token {_first_token(stage)}, {stage.failures} of {stage.requests} failed"
        )
    for stage, plain in zip(result.stages, result.service, strict=False):
        ratio = stage.requests_per_second / plain.requests_per_second if plain.requests_per_second else 0.0
        yield (
            f"{stage.concurrency:4d} in flight, by a plain Service: {plain.requests_per_second:.2f} requests/s"
            f" ({ratio:.2f} times that with the picker), first token {_first_token(plain)},"
            f" {plain.cached_share:.0%} of prompt tokens cached (with the picker {stage.cached_share:.0%})"
        )
    for name, share in result.cached_by_replica.items():
        yield f"{name}: {share:.0%} of prompt tokens found in its prefix cache"


def _first_token(stage: StageResult) -> str:
    return "-" if stage.time_to_first_token is None else f"{stage.time_to_first_token.median * 1000:.0f} ms"


# Tokens found and tokens looked up since the start of a replica, by its name.
Counters = Mapping[str, tuple[float, float]]


def cache_counters(live: LiveStack, model: ModelPlan) -> Counters:
    """Of every ready replica that can be reached, past the Gateway."""
    ctx = CheckContext(live=live, gateway=None, planned=None, patience=0.0, requests=0)
    counters = {}
    try:
        for replica in ctx.replicas(model):
            try:
                text = ctx.metrics(replica)
            except (httpx.HTTPError, LiveStackError):
                continue
            counters[replica.name] = (_read(text, "engine-cache-hits"), _read(text, "engine-cache-queries"))
    finally:
        ctx.close()
    return counters


def cached_shares(before: Counters, after: Counters) -> dict[str, float]:
    """By replica. One without a request, or one that is not there before and after, is left out."""
    shares = {}
    for name in before.keys() & after.keys():
        hits, queries = (now - then for now, then in zip(after[name], before[name], strict=True))
        if queries > 0:
            shares[name] = hits / queries
    return dict(sorted(shares.items()))


def _read(text: str, metric: str) -> float:
    entry = load_metrics().metrics[metric]
    return max(total(text, name) for name in (entry.names[ENGINE], *entry.aliases[ENGINE]))
