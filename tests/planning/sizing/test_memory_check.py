"""The memory verdict as findings: what is refused, what is only doubted, and that the fix named would work."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.planning.context import PlanContext, resolve_context
from llm_d_gke.planning.findings import Finding, Findings, Severity
from llm_d_gke.planning.plan.estimates import MemoryVerdict
from llm_d_gke.planning.served_model import served_model
from llm_d_gke.planning.sizing.memory.judge import judge
from llm_d_gke.planning.sizing.memory.run import EngineRun
from llm_d_gke.planning.sizing.memory_check import check_memory, run_of
from llm_d_gke.settings import StackSettings
from tests.planning.refusals.case import findings_of
from tests.work import calls_of

CATALOG = catalog.load()


def context_for(
    accelerator: dict[str, Any], model: dict[str, Any], location: str = "us-central1-a", release: str = "gaie-1.5"
) -> PlanContext:
    values = {"project": "demo-project", "location": location, "release": release}
    settings = StackSettings.model_validate(values | {"accelerator": accelerator, "models": [model]})
    resolved = resolve_context("test", settings, CATALOG, Findings(), transfers_kv_cache=False)
    assert resolved is not None
    resolved.findings.clear()
    return resolved


def check(
    accelerator: str | dict[str, Any],
    model: str,
    tensor_parallel: int = 1,
    location: str = "us-central1-a",
    **fields: Any,
) -> tuple[MemoryVerdict | None, list[Finding]]:
    accelerator_settings = {"type": accelerator} if isinstance(accelerator, str) else accelerator
    ctx = context_for(accelerator_settings, {"id": model, "tensorParallel": tensor_parallel, **fields}, location)
    return check_memory(served_model(ctx, 0)), ctx.findings


def test_what_fits_is_not_mentioned() -> None:
    verdict, findings = check(
        "nvidia-tesla-t4", "google/gemma-2b-it", maxModelLen=2048, gpuMemoryUtilization=0.85, dtype="half"
    )
    assert verdict is not None
    assert verdict.status == "fits"
    assert findings == []


def test_the_variable_chooses_the_model_runner() -> None:
    """Runner V1 reserves other graphs than V2, which vLLM 0.26 takes for this model by default."""
    model = {"id": "Qwen/Qwen3-8B", "allowExtraArgs": True}
    runs = [
        run_of(served_model(context_for({"type": "nvidia-l4"}, model | {"env": env}, release="llm-d-0.9"), 0))
        for env in ({}, {"VLLM_USE_V2_MODEL_RUNNER": "0"}, {"VLLM_USE_V2_MODEL_RUNNER": "1"})
    ]
    assert [run.uses_model_runner_v2 for run in runs if run is not None] == [True, False, True]


@pytest.mark.parametrize(
    ("guesses", "since"),
    [
        ({"method": "ngram", "tokens": 4}, "0.32.0"),
        ({"method": "draft_model", "draftModel": "Qwen/Qwen3-0.6B", "tokens": 4}, "0.31.0"),
    ],
)
def test_the_method_of_guessing_chooses_the_model_runner(guesses: dict[str, Any], since: str) -> None:
    versions = ["0.30.0", "0.31.0", "0.32.0", "0.33.0"]
    runs = [_run_of_image(version, speculativeDecoding=guesses) for version in versions]
    assert [run.uses_model_runner_v2 for run in runs] == [version >= since for version in versions]


def test_the_profile_samples_with_every_parameter_since_0_33() -> None:
    """Beside the hidden states: logits of 1024 sequences in 16 and 32 bits, and probabilities, on a card of 80 GB."""
    before, since = (judge(_run_of_image(version, "nvidia-h100-80gb")) for version in ("0.32.0", "0.33.0"))
    assert before.parts.activation < 1.2
    assert since.parts.activation == pytest.approx((10 * 1024 * 151936 + 2 * 8192 * 4096) / 2**30)


def _run_of_image(version: str, accelerator: str = "nvidia-l4", **fields: Any) -> EngineRun:
    model = {"id": "Qwen/Qwen3-8B", "image": f"vllm/vllm-openai:v{version}", **fields}
    run = run_of(served_model(context_for({"type": accelerator}, model), 0))
    assert run is not None
    return run


def test_the_familiar_error_on_a_t4_is_a_warning_that_names_both_ways_out() -> None:
    _, findings = check(
        "nvidia-tesla-t4", "google/gemma-2b-it", maxModelLen=4096, gpuMemoryUtilization=0.9, dtype="half"
    )
    (finding,) = findings
    assert finding.severity is Severity.WARNING
    assert (finding.path, finding.value) == ("llm-d:models[0].gpuMemoryUtilization", "0.9")
    assert "256 sequences x 256000 vocabulary entries takes about 0.89" in finding.rule
    assert finding.fix == "use gpuMemoryUtilization: 0.89, or maxNumSeqs: 128"


def test_the_second_model_runner_leaves_less_free_than_it_says() -> None:
    """Neither CUDA graphs nor its counts of tokens are taken off before the KV cache in 0.26: the rest holds both."""
    ctx = context_for(
        {"type": "nvidia-tesla-t4"},
        {"id": "google/gemma-2b-it", "maxModelLen": 4096, "gpuMemoryUtilization": 0.9, "dtype": "half"},
        release="llm-d-0.9",
    )
    verdict = check_memory(served_model(ctx, 0))
    assert verdict is not None
    assert (verdict.status, verdict.limit) == ("marginal", "warm-up")
    # 1.456 outside the share, less 0.326 for graphs, 0.4 for the CUDA context, and 4.125 bytes for each of 256
    # sequences and 256,000 entries.
    assert verdict.free_gib == pytest.approx(1.456 - 0.326 - 0.4 - 4.125 * 256 * 256_000 / 2**30, abs=0.01)


def test_a_7b_on_a_t4_is_refused_with_what_would_hold_it() -> None:
    _, findings = check("nvidia-tesla-t4", "Qwen/Qwen2.5-7B-Instruct", maxModelLen=2048, dtype="half")
    (finding,) = findings
    assert finding.severity is Severity.ERROR
    assert (finding.path, finding.value) == ("llm-d:models[0].id", "Qwen/Qwen2.5-7B-Instruct")
    assert "weights 14.25" in finding.rule
    assert finding.fix == (
        "use id: Qwen/Qwen2.5-7B-Instruct-AWQ, or accelerator.perNode: 2 and tensorParallel: 2,"
        " or accelerator.type: nvidia-l4"
    )


def test_a_model_too_large_for_a_card_is_offered_the_cheapest_hardware_that_holds_it() -> None:
    _, (finding,) = check("nvidia-l4", "meta-llama/Llama-3.3-70B-Instruct")
    assert finding.fix.endswith(
        "use accelerator: {type: nvidia-a100-80gb, machineType: a2-ultragpu-4g} and tensorParallel: 4"
    )


def test_a_context_too_long_is_refused_with_the_length_that_fits() -> None:
    verdict, findings = check("nvidia-l4", "meta-llama/Llama-3.1-8B-Instruct")
    (finding,) = findings
    assert finding.severity is Severity.ERROR
    assert (finding.path, finding.value) == ("llm-d:models[0].maxModelLen", "(by default, 131072)")
    proposed = re.search(r"maxModelLen: (\d+)", finding.fix)
    assert verdict is not None
    assert proposed is not None
    refusal, none = check("nvidia-l4", "meta-llama/Llama-3.1-8B-Instruct", maxModelLen=int(proposed[1]))
    assert refusal is not None
    assert refusal.status == "fits"
    assert none == []
    assert int(proposed[1]) < verdict.longest


def test_a_node_with_two_cards_is_offered_both() -> None:
    _, findings = check({"type": "nvidia-l4", "machineType": "g2-standard-24"}, "meta-llama/Llama-3.1-8B-Instruct")
    assert "tensorParallel: 2" in findings[0].fix


def test_a_tpu_too_small_is_offered_the_machine_with_more_chips() -> None:
    _, findings = check(
        {"type": "tpu-v5e", "machineType": "ct5lp-hightpu-1t"}, "Qwen/Qwen2.5-14B-Instruct", location="us-east5-a"
    )
    assert findings[0].fix == "use accelerator.machineType: ct5lp-hightpu-4t and tensorParallel: 4"


def test_an_accelerator_that_one_log_shows_is_checked() -> None:
    """GB300: 276.62 GiB. The message for a card without any log is the example of LLMD-MEMORY-UNKNOWN."""
    verdict, findings = check("nvidia-gb300", "Qwen/Qwen3-8B")
    assert verdict is not None
    assert (verdict.total_gib, verdict.status) == (276.62, "fits")
    assert findings == []


def test_an_unknown_model_is_left_to_the_check_that_says_so() -> None:
    verdict, findings = check("nvidia-l4", "nobody/unknown-model")
    assert verdict is None
    assert findings == []


def test_a_part_of_a_card_has_its_part_of_the_memory() -> None:
    ctx = context_for({"type": "nvidia-rtx-pro-6000", "machineType": "g4-standard-12"}, {"id": "Qwen/Qwen3-8B"})
    run = run_of(served_model(ctx, 0))
    assert run is not None
    assert run.total_gib == pytest.approx(94.97 / 4)


def test_further_arguments_count_as_vllm_counts_them() -> None:
    extra = ["--max-num-seqs=64", "--max-model-len", "1024", "--enforce-eager", "--gpu-memory-utilization", "0.7"]
    ctx = context_for(
        {"type": "nvidia-l4"},
        {"id": "Qwen/Qwen3-4B", "maxModelLen": 2048, "allowExtraArgs": True, "extraArgs": extra},
    )
    run = run_of(served_model(ctx, 0))
    assert run is not None
    assert (run.max_num_seqs, run.max_model_len, run.enforce_eager, run.utilization) == (64, 1024, True, 0.7)


@pytest.mark.parametrize(
    ("extra", "text_only", "video"),
    [
        ([], False, True),
        (["--limit-mm-per-prompt", '{"video": 0}'], False, False),
        (["--limit-mm-per-prompt.video=0"], False, False),
        (['--limit-mm-per-prompt={"image": {"count": 0}, "video": 0}'], True, False),
        (["--limit-mm-per-prompt", '{"image": 2}'], False, True),
        (["--limit-mm-per-prompt", "video"], False, True),
        (["--language-model-only"], True, False),
    ],
)
def test_media_that_no_request_may_have_are_left_out(extra: list[str], text_only: bool, video: bool) -> None:
    model = {"id": "Qwen/Qwen3-VL-8B-Instruct", "allowExtraArgs": True, "extraArgs": extra}
    run = run_of(served_model(context_for({"type": "nvidia-h100-80gb"}, model), 0))
    assert run is not None
    assert (run.text_only, run.video) == (text_only, video)


@pytest.mark.parametrize(
    ("extra", "whole", "pixels"),
    [
        ([], False, None),
        (["--mm-encoder-tp-mode", "weights"], False, None),
        (["--mm-encoder-tp-mode=data", "--mm-processor-kwargs", '{"max_pixels": 262144}'], True, 262144),
        (["--mm-processor-kwargs.max_pixels=1000", "--mm-processor-kwargs.size.longest_edge=5"], False, 1000),
        (['--mm-processor-kwargs={"size": {"longest_edge": 50176}, "max_pixels": -1}'], False, 50176),
        (["--mm-processor-kwargs", "[1]"], False, None),
        (["--mm-processor-kwargs", "max_pixels"], False, None),
    ],
)
def test_what_a_tower_takes_is_known(extra: list[str], whole: bool, pixels: int | None) -> None:
    model = {"id": "Qwen/Qwen3-VL-8B-Instruct", "allowExtraArgs": True, "extraArgs": extra}
    run = run_of(served_model(context_for({"type": "nvidia-h100-80gb"}, model), 0))
    assert run is not None
    assert (run.whole_tower, run.image_pixels) == (whole, pixels)


def test_the_work_of_judging_a_hundred_models_fits_a_second() -> None:
    served = served_model(context_for({"type": "nvidia-l4"}, {"id": "Qwen/Qwen3-4B"}), 0)
    models = [*CATALOG.models.values()] * 2
    assert calls_of(lambda: [check_memory(replace(served, model=model)) for model in models[:100]]) < 1_500_000


def test_no_combination_is_without_an_answer() -> None:
    """Every model on every accelerator, in odd numbers too, ends in a verdict."""
    for name, accelerator in CATALOG.accelerators.items():
        if accelerator.usable_gib is None or not CATALOG.machines_for(name):
            continue
        ctx = context_for({"type": name}, {"id": "Qwen/Qwen3-4B"}, "us-central1-a")
        for model in CATALOG.models.values():
            for ranks in (1, 3, 8, 256):
                served = replace(served_model(ctx, 0), model=model).with_settings(tensor_parallel=ranks)
                verdict = check_memory(served)
                if accelerator.kind == "tpu" and (model.recurrent or model.compressed):
                    # The TPU back end has separate rules for their layout: reported, and not judged.
                    assert verdict is None
                    continue
                assert verdict is not None
                assert verdict.status in ("fits", "marginal", "refused")
                assert verdict.longest <= model.context
        assert all(finding.fix and finding.rule for finding in ctx.findings)


def test_an_accelerator_without_a_known_zone_is_no_advice() -> None:
    changes = {
        "location": "europe-west4-a",
        "accelerator": {"type": "nvidia-l4"},
        "models[0]": {"id": "Qwen/Qwen3-32B"},
    }
    (fix,) = [finding.fix for finding in findings_of("gpu", changes) if finding.id == "LLMD-MEMORY-WEIGHTS"]
    zones = {name: accelerator.zones for name, accelerator in CATALOG.accelerators.items() if name in fix}
    assert all("europe-west4-a" in offering for offering in zones.values()), fix
