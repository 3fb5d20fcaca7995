"""Loads as inference-perf takes them, its results as they were written, and what is held against the estimate.

`stage_0_lifecycle_metrics.json` is what inference-perf 0.7.0 wrote about ten requests to a server that answers after
100 ms and then every 10 ms, without the figures of pictures and sounds.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from llm_d_gke.operations.bench import command
from llm_d_gke.operations.bench.page import page
from llm_d_gke.operations.bench.result import BenchError, BenchResult, read_stages
from llm_d_gke.operations.bench.run import PYTHON
from llm_d_gke.operations.bench.scenario import Target, Tokens, configuration, scenarios, sized
from llm_d_gke.operations.bench.workload import comparable, find_model, remarks, tokens_of
from llm_d_gke.operations.live_stack.stack import Endpoint
from tests.command_line import llmd
from tests.stacks import plan_of

RECORDED = Path(__file__).with_name("stage_0_lifecycle_metrics.json")


def written(folder: Path, **changes: Any) -> Path:
    figures = json.loads(RECORDED.read_text(encoding="utf-8"))
    figures["load_summary"] |= changes
    (folder / "stage_0_lifecycle_metrics.json").write_text(json.dumps(figures), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", scenarios())
def test_every_stage_sends_as_many_requests_as_it_says(name: str) -> None:
    scenario = scenarios()[name]
    target = Target(url="http://gateway", model="m", headers={"Host": "h"}, tokenizer="t")
    config = configuration(scenario, Tokens(prompt=100, output=10), target, Path("o"))
    stages = [(stage["concurrency_level"], stage["num_requests"]) for stage in config["load"]["stages"]]
    assert stages == [(stage.concurrency, stage.requests) for stage in scenario.stages]
    # One worker alone has to be able to hold what is in flight, and none is without work.
    assert config["load"]["worker_max_concurrency"] == max(concurrency for concurrency, _ in stages)
    assert config["load"]["num_workers"] <= min(concurrency for concurrency, _ in stages)
    assert config["api"]["headers"] == {"Host": "h"}
    prefix = config["data"]["shared_prefix"]
    assert prefix["output_len"] == 10
    assert prefix["question_len"] + (0 if scenario.shared_prefix else prefix["system_prompt_len"]) == 100


def test_the_recorded_run_is_read_as_it_was_measured(tmp_path: Path) -> None:
    [stage] = read_stages(written(tmp_path), None)
    assert (stage.concurrency, stage.requests, stage.failures) == (1, 10, 0)
    assert stage.time_to_first_token is not None
    assert 0.100 <= stage.time_to_first_token.median <= 0.103
    assert stage.time_per_output_token is not None
    assert 0.010 <= stage.time_per_output_token.median <= 0.013
    assert stage.prompt_tokens == 64
    assert stage.output_tokens == 32
    assert stage.cached_share == 0
    assert stage.estimate is None


def test_the_estimate_is_that_of_the_nearest_point(tmp_path: Path) -> None:
    capacity = plan_of("gpu").models[0].capacity
    assert capacity is not None
    [alone] = read_stages(written(tmp_path), capacity)
    assert alone.estimate is not None
    assert alone.estimate.time_to_first_token == capacity.alone.time_to_first_token
    last = capacity.curve[-1]
    [full] = read_stages(written(tmp_path, concurrency=100 * last.concurrency), capacity)
    assert full.estimate is not None
    assert full.estimate.concurrency == last.concurrency


def test_a_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="wrote no result"):
        read_stages(tmp_path, None)


def test_a_run_whose_requests_all_failed_has_its_failures_and_no_times(tmp_path: Path) -> None:
    """As inference-perf 0.7.0 writes it for a server that does not answer."""
    figures = {
        "benchmark_time_seconds": 0.8,
        "load_summary": {"count": 10, "concurrency": 1},
        "successes": {
            "count": 0,
            "latency": {"time_to_first_token": None},
            "output_len": None,
            "output_tokens": {"total": 0.0},
        },
        "failures": {"count": 10},
    }
    (tmp_path / "stage_0_lifecycle_metrics.json").write_text(json.dumps(figures), encoding="utf-8")
    [stage] = read_stages(tmp_path, None)
    assert (stage.failures, stage.output_tokens, stage.time_to_first_token) == (10, 0.0, None)


def test_estimates_stand_beside_requests_of_their_lengths_only() -> None:
    capacity = plan_of("gpu").models[0].capacity
    assert capacity is not None
    latency, shared = scenarios()["latency"], scenarios()["shared-prefix"]
    own = tokens_of(latency, capacity)
    assert own == Tokens(prompt=capacity.prompt_tokens, output=capacity.output_tokens)
    assert comparable(latency, own, capacity) is capacity
    longer = Tokens(prompt=2 * own.prompt, output=own.output)
    assert comparable(latency, longer, capacity) is None
    assert comparable(shared, own, capacity) is None
    assert "other lengths" in remarks(latency, longer, capacity, rehearsed=False)[-1]
    assert "shared beginnings" in remarks(shared, own, capacity, rehearsed=False)[-1]
    assert "simulated" in remarks(latency, own, capacity, rehearsed=True)[1]
    assert len(remarks(latency, own, capacity, rehearsed=False)) == 1


def test_the_page_holds_the_figures_and_fetches_nothing(tmp_path: Path) -> None:
    stages = read_stages(written(tmp_path), plan_of("gpu").models[0].capacity)
    failed = replace(stages[0], concurrency=5, failures=3, time_to_first_token=None)
    result = BenchResult(
        stack="gpu",
        model="<m>",
        scenario="quick",
        place="gke",
        target="here",
        tool="tool",
        stages=(*stages, failed),
        remarks=("a",),
    )
    text = page(result)
    assert "102.1 ms" in text
    assert "&lt;m&gt;" in text
    assert text.count("<svg") == 3
    assert "<script" not in text
    assert "http" not in text
    assert json.loads(result.as_json())["stages"][1]["failures"] == 3
    assert result.failures == 3
    assert "Requests a second (gray: estimate)" in text
    alone = tuple(replace(stage, estimate=None) for stage in result.stages)
    without = page(replace(result, stages=alone))
    assert "gray" not in without
    # One bar would always be as high as its chart.
    assert "<svg" not in page(replace(result, stages=alone[:1]))


def test_a_model_that_nobody_serves_is_named_with_those_that_are() -> None:
    models = plan_of("multi-model-gpu").models
    assert find_model(models, None) is models[0]
    assert find_model(models, models[1].served_name) is models[1]
    with pytest.raises(BenchError, match=models[1].served_name):
        find_model(models, "gpt")


@pytest.fixture
def _gpu_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack gpu, as commands open it; nothing answers at its address."""
    endpoint = Endpoint(url="http://127.0.0.1", host="127.0.0.1", trusted=True)
    live = SimpleNamespace(name="gpu", target="rehearsal", plan=plan_of("gpu"), endpoint=endpoint, looked_at="a server")
    monkeypatch.setattr(command, "open_stack", lambda *_: nullcontext(live))


@pytest.mark.usefixtures("_gpu_is_up")
def test_without_the_tool_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(PYTHON, str(tmp_path / "python"))
    assert llmd("bench", "gpu", "quick", "--out", str(tmp_path / "out")) == 1
    assert "run make bench-env" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    # A measurement takes minutes: what it is compared with is read before it.
    assert llmd("bench", "gpu", "quick", "--against", str(tmp_path / "none.json")) == 1
    assert "none.json cannot be read" in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("_gpu_is_up")
def test_two_runs_do_not_write_into_one_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "find_python", lambda: tmp_path)
    with command.only_run_into(tmp_path):
        assert llmd("bench", "gpu", "quick", "--out", str(tmp_path)) == 1
    printed = " ".join(capsys.readouterr().err.split())
    assert "another run of bench writes into" in printed
    assert re.search(rf", process {os.getpid()}, for \d+ s\. Wait for it, or", printed)
    with command.only_run_into(tmp_path):
        pass


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--url", "chat.example.com"), "is no address of a server, as in http://"),
        (("--results", "none"), "'none' does not exist"),
    ],
)
def test_an_address_or_a_folder_that_cannot_be_is_refused_at_once(
    option: tuple[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert llmd("bench", "gpu", "quick", *option) == 2
    assert words in " ".join(capsys.readouterr().err.replace("│", "").split())


def test_a_stack_that_is_not_there_is_named_before_the_tool(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv(PYTHON, str(tmp_path / "python"))
    assert llmd("bench", "nope", "quick") != 0
    output = capsys.readouterr().err
    assert "Pulumi.nope.yaml" in output
    assert "bench-env" not in output


@pytest.mark.parametrize(
    ("caches", "longest", "groups", "beginning"),
    [
        (80_000, 2048, 64, 1000),
        # A request has room for 2048 - 64 - 32 tokens before it.
        (380_688, 2048, 156, 1952),
        (8, 2048, 64, 1),
    ],
)
def test_beginnings_fill_a_share_of_all_caches_and_leave_room_for_the_request(
    caches: int, longest: int, groups: int, beginning: int
) -> None:
    tokens = Tokens(prompt=64, output=32)
    shared = sized(scenarios()["shared-prefix"], tokens, cached_tokens=caches, longest=longest).shared_prefix
    assert shared is not None
    assert (shared.groups, shared.system_tokens) == (groups, beginning)
    assert sized(scenarios()["quick"], tokens, cached_tokens=caches, longest=longest) is scenarios()["quick"]
