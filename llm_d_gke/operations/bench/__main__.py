"""`python -m llm_d_gke.operations.bench STACK SCENARIO`"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from llm_d_gke.cli.exits import DONE, FAILED, REFUSED, UNMET
from llm_d_gke.operations.bench.page import page
from llm_d_gke.operations.bench.result import BenchError, BenchResult, read_stages
from llm_d_gke.operations.bench.run import TOOL, find_python, make_tokenizer, run_tool
from llm_d_gke.operations.bench.scenario import Scenario, Tokens, configuration, scenarios
from llm_d_gke.operations.live_stack.find import open_stack
from llm_d_gke.operations.live_stack.stack import LiveStack, LiveStackError
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
    options = parser.parse_args(arguments)
    out = options.out or Path("bench") / f"{options.stack}-{options.scenario}"
    try:
        python = find_python()
        with open_stack(options.stack, {}) as live:
            result = _measure(live, options, python, out)
    except (BenchError, LiveStackError, StackFileError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except RefusedError as refused:
        print("\n".join(str(finding) for finding in refused.findings), file=sys.stderr)
        return REFUSED
    (out / "result.json").write_text(result.as_json(), encoding="utf-8")
    (out / "report.html").write_text(page(result), encoding="utf-8")
    for stage in result.stages:
        first = "-" if stage.time_to_first_token is None else f"{stage.time_to_first_token.median * 1000:.0f} ms"
        print(
            f"{stage.concurrency:4d} in flight: {stage.requests_per_second:.2f} requests/s, first token {first},"
            f" {stage.failures} of {stage.requests} failed"
        )
    print(f"wrote {out / 'result.json'} and {out / 'report.html'}")
    return UNMET if result.failures else DONE


def _measure(live: LiveStack, options: argparse.Namespace, python: Path, out: Path) -> BenchResult:
    model = find_model(live.plan.models, options.model)
    if options.url is None and live.endpoint is None:
        raise BenchError(f"the Gateway of {live.name} has no address: {live.diagnose}")
    url = options.url or (live.endpoint.url if live.endpoint is not None else "")
    headers = {"Host": live.endpoint.host} if options.url is None and live.endpoint is not None else {}
    rehearsed = live.place == "rehearsal"
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = options.tokenizer or (make_tokenizer(python, out / "tokenizer") if rehearsed else model.id)
    scenario = scenarios()[options.scenario]
    tokens = tokens_of(scenario, model.capacity)
    for earlier in out.glob("stage_*_lifecycle_metrics.json"):
        earlier.unlink()
    tool_configuration = configuration(
        scenario, tokens, url=url, model=model.served_name, headers=headers, tokenizer=tokenizer, out=out
    )
    run_tool(python, tool_configuration, out, offline=rehearsed)
    capacity = comparable(scenario, tokens, model.capacity)
    return BenchResult(
        stack=live.name,
        model=model.served_name,
        scenario=options.scenario,
        target=live.looked_at if options.url is None else url,
        tool=TOOL,
        stages=read_stages(out, capacity),
        remarks=tuple(remarks(scenario, tokens, model.capacity, rehearsed=rehearsed)),
    )


def find_model(models: tuple[ModelPlan, ...], name: str | None) -> ModelPlan:
    """The model of this name in requests, or the first. Raises BenchError for a name that no model has."""
    chosen = next((model for model in models if name in (None, model.served_name)), None)
    if chosen is None:
        raise BenchError(f"the stack serves no model {name}: use {', '.join(model.served_name for model in models)}")
    return chosen


def tokens_of(scenario: Scenario, capacity: CapacityPlan | None) -> Tokens:
    """The scenario's lengths, else those that the stack is planned for."""
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
    """What of the result may be compared with what."""
    sentences = [f"{scenario.title}; {tokens.prompt} prompt and {tokens.output} output tokens"]
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
