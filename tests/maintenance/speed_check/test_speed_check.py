"""Published measurements against the estimate of speed: the rows, what is held back of them, and the stated error."""

from __future__ import annotations

import math
import re
import statistics
from pathlib import Path

import pytest
import yaml

from llm_d_gke import catalog
from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.maintenance.speed_check.__main__ import main
from llm_d_gke.maintenance.speed_check.comparison import (
    Outcome,
    absolute_errors,
    outcomes,
    stated_errors_of,
)
from llm_d_gke.maintenance.speed_check.fit import LIMITS
from llm_d_gke.maintenance.speed_check.prediction import Burst, Prediction, predict, simulate_burst
from llm_d_gke.maintenance.speed_check.rows import FIGURES, held_out, load_rows
from llm_d_gke.planning.sizing.memory import EngineOptions, engine_run
from llm_d_gke.planning.sizing.speed import Load, estimate

ROWS = load_rows()


class Constant:
    """Steps of one second, whatever they do."""

    name = "constant"

    def step(self, *_: float) -> float:
        return 1.0


@pytest.fixture(scope="module")
def unseen() -> tuple[Outcome, ...]:
    return outcomes([row for row in ROWS if row.held_out])


def test_there_are_rows_of_several_accelerators_and_half_are_held_out() -> None:
    assert len(ROWS) >= 80
    assert len({row.accelerator for row in ROWS}) == 8
    assert 0.4 <= statistics.mean(row.held_out for row in ROWS) <= 0.6
    assert len({row.id for row in ROWS}) == len(ROWS)


def test_the_id_alone_decides_what_is_held_out() -> None:
    """SHA-256, last bit of the last byte."""
    assert held_out("qwen3-8b-h100-tp1-c1")
    assert not held_out("qwen3-8b-h100-tp1-c4")


def test_every_source_says_what_and_when() -> None:
    sources = read_yaml(FIGURES)["sources"]
    assert all(source["citation"] and (source.get("date") or source.get("read")) for source in sources.values())
    assert {row.source for row in ROWS} == set(sources)


def test_every_row_gets_a_prediction(unseen: tuple[Outcome, ...]) -> None:
    assert len(unseen) == sum(row.held_out for row in ROWS)


def test_medians_on_rows_that_nothing_was_fitted_to_are_within_a_fifth(unseen: tuple[Outcome, ...]) -> None:
    for kind in ("gpu", "tpu"):
        of_kind = [outcome for outcome in unseen if outcome.row.card.kind == kind]
        assert statistics.median(absolute_errors(of_kind, "tokens")) <= 0.2
        assert statistics.median(absolute_errors(of_kind, "tpot")) <= 0.2
        assert statistics.median(absolute_errors(of_kind, "ttft")) <= 0.2


def test_the_catalog_states_the_error_that_was_earned(unseen: tuple[Outcome, ...]) -> None:
    for kind in ("gpu", "tpu"):
        of_kind = [outcome for outcome in unseen if outcome.row.card.kind == kind]
        assert load_engine().speed.held_out_errors[f"roofline-{kind}"] == stated_errors_of(of_kind)


def test_measured_accelerators_are_those_with_rows_and_the_guides() -> None:
    assert set(load_engine().speed.measured) == {row.accelerator for row in ROWS} | {"nvidia-tesla-t4"}


def test_measured_kinds_of_attention_are_those_of_the_rows_held_out() -> None:
    models = catalog.load().models
    for accelerators, kinds in load_engine().speed.measured_attention.items():
        held_out_rows = [row for row in ROWS if row.held_out and row.card.kind == accelerators]
        assert {*kinds} == {kind for row in held_out_rows for kind in models[row.model].attention_kinds}


@pytest.mark.parametrize(
    ("model", "measured"),
    [
        ("deepseek-ai/DeepSeek-R1", True),
        ("openai/gpt-oss-120b", True),
        ("deepseek-ai/DeepSeek-V4-Flash", False),
        ("Qwen/Qwen3.5-35B-A3B", False),
        ("ibm-granite/granite-4.0-h-small", False),
    ],
)
def test_errors_hold_for_measured_kinds_of_attention_only(
    model: str, measured: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["of", model, "nvidia-h200-141gb", "--tensor-parallel", "8"]) == 0
    assert ("not held against a measurement" not in capsys.readouterr().out) is measured


def test_no_constant_is_better_than_its_data_sheet() -> None:
    for generation in ("gpu", "turing", "tpu"):
        constants = load_engine().speed.constants.of(generation)
        for name, (low, high) in LIMITS.items():
            assert low <= getattr(constants, name) <= high, (generation, name)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"source": "nowhere"}, "source nowhere is not described"),
        ({"rate": 1}, "give one of concurrency, burst and rate"),
        ({"ttft": None}, "nothing was measured"),
    ],
)
def test_a_row_that_says_too_little_is_refused(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    row: dict[str, object] = dict.fromkeys(("id", "accelerator", "model", "version"), "one")
    row |= dict.fromkeys(("prompt", "output"), 10)
    row |= {"source": "page", "concurrency": 1, "ttft": 1.0, **change}
    path = tmp_path / "rows.yaml"
    path.write_text(yaml.safe_dump({"sources": {"page": {}}, "rows": [row]}), encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        load_rows(path)


def test_a_burst_is_followed_step_by_step() -> None:
    """Two requests of 4 + 3 tokens, 4 tokens a step: the first answer's token takes a place of the second prompt."""
    passed = simulate_burst(Burst(requests=2, fresh=4, cached=0, output=3, room=2, budget=4), Constant())
    # The first token of the second request waits for its last prompt token in step 3.
    assert passed.first_token_seconds == pytest.approx((1 + 3) / 2)
    assert passed.seconds_per_token == pytest.approx(1.0)
    assert passed.seconds == pytest.approx(5.0)


def test_a_burst_without_room_waits_for_the_rotation() -> None:
    passed = simulate_burst(Burst(requests=2, fresh=4, cached=0, output=3, room=1, budget=4), Constant())
    assert passed.seconds == pytest.approx(6.0)
    assert passed.first_token_seconds == pytest.approx((1 + 4) / 2)


def test_cached_prompts_are_answered_sooner_and_take_no_room_of_their_own() -> None:
    card = catalog.load().accelerators["nvidia-l4"]
    run = engine_run(catalog.load().models["Qwen/Qwen3-8B"], card, "0.19.0", EngineOptions(max_model_len=8192))
    assert run is not None
    fresh, cached = (estimate(run, card, Load(4096, 128, 32, cached)) for cached in (0, 4000))
    assert fresh is not None
    assert cached is not None
    assert cached.time_to_first_token < fresh.time_to_first_token / 4
    assert cached.batch == 32 > fresh.batch


def test_links_and_ranks_decide_what_tensor_parallelism_saves() -> None:
    """Over PCIe the exchange costs the gain of the second card; over NVLink it does not."""
    load = catalog.load()

    def first_token(name: str, tensor: int) -> float:
        card = load.accelerators[name]
        run = engine_run(
            load.models["Qwen/Qwen3-8B"], card, "0.19.0", EngineOptions(max_model_len=8192, tensor_parallel=tensor)
        )
        assert run is not None
        estimated = estimate(run, card, Load(8000, 16))
        assert estimated is not None
        return estimated.time_to_first_token

    assert first_token("nvidia-h100-80gb", 2) < 0.8 * first_token("nvidia-h100-80gb", 1)
    assert first_token("nvidia-rtx-pro-6000", 2) > first_token("nvidia-rtx-pro-6000", 1)


def test_a_rate_is_met_where_it_can_be() -> None:
    row = next(row for row in ROWS if row.rate is not None)
    prediction = predict(row)
    assert isinstance(prediction, Prediction)
    assert prediction.tokens == pytest.approx(row.rate * row.output, rel=0.01) if row.rate else False


def test_the_page_has_every_row_with_its_error() -> None:
    """docs/speed.md is what the command writes: the column of the roofline is current."""
    page = (Path(__file__).parents[3] / "docs" / "speed.md").read_text(encoding="utf-8")
    for row in ROWS[:: math.ceil(len(ROWS) / 12)]:
        prediction = predict(row)
        assert prediction is not None
        errors = ", ".join(
            f"{Outcome(row, prediction).error(figure):+.0%}" if figure in row.measured else ""
            for figure in ("ttft", "tpot", "tokens")
        )
        line = re.search(rf"^\| {re.escape(row.id)} \|.*$", page, re.MULTILINE)
        assert line is not None, row.id
        assert f"| {errors} |" in line[0], row.id


def test_an_opinion_names_its_method_and_the_error_it_earned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["of", "Qwen/Qwen3-8B", "nvidia-l4", "--concurrency", "4"]) == 0
    earned_on_gpus = load_engine().speed.held_out_errors["roofline-gpu"]
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| roofline |"))
    assert line.endswith(f"| {earned_on_gpus.typical:.0%} | {earned_on_gpus.percentile_90:.0%} |")
    assert main(["of", "Qwen/Qwen3-8B", "nvidia-rtx-pro-6000"]) == 0
    assert "not held against a measurement" in capsys.readouterr().out
