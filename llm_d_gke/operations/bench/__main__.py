"""`python -m llm_d_gke.operations.bench STACK SCENARIO`"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from llm_d_gke.cli.exits import DONE, FAILED, REFUSED, UNMET
from llm_d_gke.operations.bench.compare import differences, read_earlier
from llm_d_gke.operations.bench.job import RESULTS, commands, job_objects
from llm_d_gke.operations.bench.page import page
from llm_d_gke.operations.bench.result import BenchError, BenchResult, StageResult, read_stages
from llm_d_gke.operations.bench.run import TOOL, find_python, make_tokenizer, run_tool
from llm_d_gke.operations.bench.scenario import Scenario, Tokens, configuration, scenarios, sized
from llm_d_gke.operations.bench.service import PlainService
from llm_d_gke.operations.live_stack.find import open_stack
from llm_d_gke.operations.live_stack.stack import LiveStack, LiveStackError, is_ready
from llm_d_gke.planning import RefusedError
from llm_d_gke.planning.plan.estimates import CapacityPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.stackfile.paths import StackFileError

# The estimate is for the lengths of models[].load; within this ratio it is held against other ones.
_SAME_LENGTH = 1.25


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="llm_d_gke.operations.bench", description="Measure a running stack.")
    parser.add_argument("stack")
    parser.add_argument("scenario", choices=sorted(scenarios()))
    parser.add_argument("--model", help="name of the model in requests; by default the stack's first")
    parser.add_argument("--tokenizer", help="folder or repository; by default the model's, in a rehearsal a small one")
    parser.add_argument("--out", type=Path, help="folder of the result; by default bench/STACK-SCENARIO")
    parser.add_argument("--url", help="address to measure instead of the stack's own")
    parser.add_argument("--service", action="store_true", help="measure a plain Service over the same pods, too")
    parser.add_argument("--header", action="append", default=[], metavar="NAME: VALUE", help="such as an API key")
    parser.add_argument(
        "--job", type=Path, metavar="FILE", help="write a Job for the cluster, and measure nothing here"
    )
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", help="read the files of such a Job, and measure nothing"
    )
    parser.add_argument("--against", type=Path, help="result.json of an earlier run to compare with")
    options = parser.parse_args(arguments)
    out = options.out or Path("bench") / f"{options.stack}-{options.scenario}"
    try:
        python = None if options.job or options.results else find_python()
        with open_stack(options.stack, {}) as live:
            if options.job:
                return _write_job(live, options, out)
            result = _measure(live, options, python, out)
        compared = () if options.against is None else differences(read_earlier(options.against, result), result)
    except (BenchError, LiveStackError, StackFileError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except RefusedError as refused:
        print("\n".join(str(finding) for finding in refused.findings), file=sys.stderr)
        return REFUSED
    (out / "result.json").write_text(result.as_json(), encoding="utf-8")
    (out / "report.html").write_text(page(result, compared), encoding="utf-8")
    for stage in result.stages:
        first = "-" if stage.time_to_first_token is None else f"{stage.time_to_first_token.median * 1000:.0f} ms"
        print(
            f"{stage.concurrency:4d} in flight: {stage.requests_per_second:.2f} requests/s, first token {first},"
            f" {stage.failures} of {stage.requests} failed"
        )
    for stage, plain in zip(result.stages, result.service, strict=False):
        print(f"{stage.concurrency:4d} in flight, {picker_gain(stage, plain)}")
    for difference in compared:
        print(f"{difference.concurrency:4d} in flight, {difference}")
    print(f"wrote {out / 'result.json'} and {out / 'report.html'}")
    worse = any(difference.verdict == "worse" for difference in compared)
    return UNMET if result.failures or worse else DONE


def _destination(live: LiveStack, options: argparse.Namespace) -> tuple[str, dict[str, str]]:
    """Address and headers of every request."""
    for line in options.header:
        if not line.partition(":")[0].strip() or ":" not in line:
            raise BenchError(f"{line!r} is no header: write NAME: VALUE, as in 'Authorization: Bearer abc'")
    own = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in options.header)}
    if options.url is not None:
        return options.url, own
    if live.endpoint is None:
        raise BenchError(f"the Gateway of {live.name} has no address: {live.diagnose}")
    return live.endpoint.url, {"Host": live.endpoint.host, **live.endpoint.headers, **own}


def _load(options: argparse.Namespace, model: ModelPlan) -> tuple[Scenario, Tokens]:
    """The scenario for this model."""
    scenario = scenarios()[options.scenario]
    tokens = tokens_of(scenario, model.capacity)
    memory = model.servers[0].memory
    if memory is None:
        return scenario, tokens
    caches = memory.replica_tokens * model.servers[0].replicas
    return sized(scenario, tokens, cached_tokens=caches, longest=memory.max_model_len), tokens


def _write_job(live: LiveStack, options: argparse.Namespace, out: Path) -> int:
    """Write the Job of a scenario, and print the commands that run it and read its files."""
    if live.place == "rehearsal" and options.url is None:
        raise BenchError("a rehearsed Gateway listens on this machine only, where no Job runs: add --url ADDRESS")
    model = find_model(live.plan.models, options.model)
    url, headers = _destination(live, options)
    scenario, tokens = _load(options, model)
    tool_configuration = configuration(
        scenario,
        tokens,
        url=url,
        model=model.served_name,
        headers=headers,
        tokenizer=options.tokenizer or model.id,
        out=Path(RESULTS),
    )
    name = f"load-{options.scenario}"
    documents = job_objects(live.plan, scenario, tool_configuration, name, url)
    options.job.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
    options.job.chmod(0o600)
    print(f"wrote {options.job}\n")
    read = f"python -m llm_d_gke.operations.bench {live.name} {options.scenario} --results {out}"
    print("\n".join(commands(live.plan, name, options.job, out, read)))
    return DONE


def _measure(live: LiveStack, options: argparse.Namespace, python: Path | None, out: Path) -> BenchResult:
    """Run the load, or with `--results` (no `python`) read that of a Job."""
    model = find_model(live.plan.models, options.model)
    url, headers = _destination(live, options)
    rehearsed = live.place == "rehearsal"
    scenario, tokens = _load(options, model)
    capacity = comparable(scenario, tokens, model.capacity)
    out.mkdir(parents=True, exist_ok=True)

    def result(stages: tuple[StageResult, ...], service: tuple[StageResult, ...] = ()) -> BenchResult:
        return BenchResult(
            stack=live.name,
            model=model.served_name,
            scenario=options.scenario,
            place=live.place if options.url is None else url,
            target=live.looked_at if options.url is None else url,
            tool=TOOL,
            stages=stages,
            service=service,
            remarks=tuple(remarks(scenario, tokens, model.capacity, rehearsed=rehearsed)),
        )

    if python is None:
        return result(read_stages(options.results, capacity))
    pods = service_addresses(live, model) if options.service else []
    tokenizer = options.tokenizer or (make_tokenizer(python, out / "tokenizer") if rehearsed else model.id)

    def run(address: str, host: Mapping[str, str], folder: Path) -> tuple[StageResult, ...]:
        folder.mkdir(parents=True, exist_ok=True)
        for earlier in folder.glob("*_lifecycle_metrics.json"):
            earlier.unlink()
        tool_configuration = configuration(
            scenario, tokens, url=address, model=model.served_name, headers=host, tokenizer=tokenizer, out=folder
        )
        run_tool(python, tool_configuration, folder, offline=rehearsed)
        return read_stages(folder, capacity)

    service: tuple[StageResult, ...] = ()
    if pods:
        with PlainService(pods) as plain:
            service = run(plain.url, {}, out / "service")
    return result(run(url, headers, out), service)


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


def picker_gain(stage: StageResult, plain: StageResult) -> str:
    """The difference between the endpoint picker and a plain Service, in one line."""
    first = plain.time_to_first_token
    ratio = stage.requests_per_second / plain.requests_per_second if plain.requests_per_second else 0.0
    return (
        f"by a plain Service: {plain.requests_per_second:.2f} requests/s ({ratio:.2f} times that with the picker),"
        f" first token {'-' if first is None else f'{first.median * 1000:.0f} ms'},"
        f" {plain.cached_share:.0%} of prompt tokens cached (with the picker {stage.cached_share:.0%})"
    )


def find_model(models: tuple[ModelPlan, ...], name: str | None) -> ModelPlan:
    """The model of this name in requests, or the first. Raises BenchError for a name that no model has."""
    chosen = next((model for model in models if name in (None, model.served_name)), None)
    if chosen is None:
        raise BenchError(f"the stack serves no model {name}: use {', '.join(model.served_name for model in models)}")
    return chosen


def tokens_of(scenario: Scenario, capacity: CapacityPlan | None) -> Tokens:
    """The scenario's lengths, otherwise those that the stack is planned for."""
    if scenario.tokens is not None:
        return scenario.tokens
    if capacity is None:
        return Tokens(prompt=128, output=128)
    return Tokens(prompt=capacity.prompt_tokens, output=capacity.output_tokens)


def comparable(scenario: Scenario, tokens: Tokens, capacity: CapacityPlan | None) -> CapacityPlan | None:
    """The estimate, where it is for requests like the scenario's."""
    if capacity is None or scenario.shared_prefix is not None:
        return None
    pairs = ((tokens.prompt, capacity.prompt_tokens), (tokens.output, capacity.output_tokens))
    return capacity if all(max(pair) <= _SAME_LENGTH * min(pair) for pair in pairs) else None


def remarks(scenario: Scenario, tokens: Tokens, capacity: CapacityPlan | None, *, rehearsed: bool) -> list[str]:
    """The workload of a result, and figures that must not be compared."""
    sentences = [f"{scenario.title}; {tokens.prompt} prompt and {tokens.output} output tokens"]
    if scenario.shared_prefix is not None:
        sentences[0] += f" after {scenario.shared_prefix.groups} beginnings of {scenario.shared_prefix.system_tokens}"
    if rehearsed:
        sentences.append(
            "A rehearsed stack: engines are simulated with the estimate's own times, so this measures the way to them"
            " and not the accelerator. Tokens are those of a small tokenizer."
        )
    if comparable(scenario, tokens, capacity) is None:
        sentences.append(
            "No estimate beside the figures: "
            + (
                "it does not know shared beginnings."
                if scenario.shared_prefix is not None
                else "the plan has none, or one for requests of other lengths (models[].load)."
            )
        )
    return sentences


if __name__ == "__main__":
    sys.exit(main())
