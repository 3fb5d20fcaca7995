"""How near a start may be to its limit and still get a yes or a no, on starts that were logged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.operations.logs_check.judgment import Judgment, judge_rows
from llm_d_gke.operations.logs_check.row import Row, start_of
from llm_d_gke.planning.sizing.memory import judge
from llm_d_gke.planning.sizing.memory.warm_up import warm_up

FIGURES = Path(__file__).parents[1] / "figures"
# Groups whose rows lack what decides, or whose engine is no release of vLLM.
NOT_STATED = ("cache only", "other build")
ROWS: list[Row] = [
    row for file in sorted(FIGURES.glob("*_starts.json")) for row in json.loads(file.read_text(encoding="utf-8"))
]
BY_ID = {row["id"]: row for row in ROWS}


@pytest.fixture(scope="module")
def deciding() -> list[Judgment]:
    judgments = judge_rows(ROWS, FIGURES)
    return [judgment for judgment in judgments if judgment.group not in NOT_STATED]


def test_an_eighth_of_all_starts_is_nearer_to_its_limit_than_the_error(deciding: list[Judgment]) -> None:
    """Correct, but no answer to the question. With seven starts of one guest of Windows with 4 GiB it is a seventh."""
    assert [judgment.id for judgment in deciding if judgment.wrong] == []
    small = [f"H{number:02}" for number in range(5, 12)]
    for rows, share in ((deciding, 0.15), ([item for item in deciding if item.id not in small], 0.135)):
        assert sum(judgment.call == "marginal" for judgment in rows) / len(rows) <= share


def test_four_bit_integers_of_experts_are_not_tuned() -> None:
    """L34 and L35 came through with 2.1 GiB of room: Marlin computes them, of which FlashInfer tunes nothing."""
    assert _calls("L34", "L35") == {"L34": "fits", "L35": "fits"}
    run = start_of(BY_ID["L34"], FIGURES).run
    assert run.quantized is not None
    eight_bits = run.quantized.model_copy(update={"bits": 8.0})
    # One kernel of FlashInfer takes groups of 32 on B200.
    groups = run.quantized.model_copy(update={"group": 32})
    tuning = load_engine().warm_up.expert_tuning_gib
    for quantization, capability in ((eight_bits, run.capability), (groups, 10.0)):
        model = run.model.model_copy(update={"quantization": quantization})
        tuned = warm_up(replace(run, model=model, capability=capability), 6.0, 1.0, model.layers)
        assert tuned.passed_gib == pytest.approx(warm_up(run, 6.0, 1.0, model.layers).passed_gib + tuning)


def test_graphs_hold_as_many_sums_of_nccl_as_there_are_layers() -> None:
    """Over PCIe four ranks took 0.85 GiB for 80 layers, eight 1.01 for 94. N15, which ended, has recurrent layers."""
    assert _calls("V02", "G01", "G02", "N15") == {"V02": "fits", "G01": "fits", "G02": "fits", "N15": "marginal"}


def test_a_dense_model_of_text_on_one_gpu_is_known_to_half_a_gib(deciding: list[Judgment]) -> None:
    """Three that ended were marginal; Z37 is of 0.10, whose sampler is not known."""
    assert _calls("K18", "Z26", "L24", "Z37") == dict.fromkeys(("K18", "Z26", "L24"), "refused") | {"Z37": "marginal"}
    plain = {
        judgment.id: judgment.prediction["availableGib"] - BY_ID[judgment.id]["availableGib"]
        for judgment in deciding
        if judgment.prediction.get("errorGib") == 0.55 and isinstance(BY_ID[judgment.id].get("availableGib"), float)
    }
    # HAMi cut its card.
    assert {name for name, error in plain.items() if abs(error) > 0.47} == {"O03"}
    assert len(plain) > 70


def test_memory_shared_with_the_host_is_surer_without_a_vision_tower() -> None:
    assert _calls("Y17") == {"Y17": "fits"}
    run = start_of(BY_ID["Y17"], FIGURES).run
    text = load_engine().errors.unified_memory_text_gib
    assert text <= judge(run).error_gib < load_engine().errors.unified_memory_gib


def _calls(*names: str) -> dict[str, str]:
    judgments = judge_rows([BY_ID[name] for name in names], FIGURES)
    return {judgment.id: judgment.call for judgment in judgments}
