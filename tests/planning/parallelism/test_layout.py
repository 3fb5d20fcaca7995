"""Layout of a replica, from machine and settings, and the share of each device."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning.context import PlanContext, resolve_context
from llm_d_gke.planning.findings import Findings
from llm_d_gke.planning.parallelism.layout import Parallelism, parallelism_of, pods_of
from llm_d_gke.planning.parallelism.packing import fewest_nodes
from llm_d_gke.planning.sizing.memory import EngineOptions, engine_run, judge
from llm_d_gke.planning.sizing.speed import Load, estimate
from llm_d_gke.settings import StackSettings

CATALOG = load()
H200 = {"type": "nvidia-h200-141gb", "machineType": "a3-ultragpu-8g"}
H100 = {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g"}
V6E = {"type": "tpu-v6e", "machineType": "ct6e-standard-4t"}


def context_for(accelerator: dict[str, Any], model: dict[str, Any]) -> PlanContext:
    location = "europe-west4-a" if accelerator is V6E else "us-central1-b"
    values = {"project": "demo-project", "location": location, "release": "llm-d-0.9", "accelerator": accelerator}
    resolved = resolve_context(
        "test",
        StackSettings.model_validate(values | {"models": [model]}),
        CATALOG,
        Findings(),
        transfers_kv_cache=False,
    )
    assert resolved is not None
    return resolved


@pytest.mark.parametrize(
    ("accelerator", "stated", "expected", "ranks"),
    [
        (H100, {}, {"tensor": 8, "hosts": 1}, 1),
        (H100, {"tensorParallel": 2}, {"tensor": 2, "hosts": 1}, 1),
        (H100, {"pipelineParallel": 2}, {"tensor": 8, "pipeline": 2, "hosts": 2}, 1),
        (H100, {"dataParallel": 8}, {"tensor": 1, "data": 8, "hosts": 1}, 8),
        (H100, {"dataParallel": 16, "tensorParallel": 2}, {"tensor": 2, "data": 16, "hosts": 4}, 4),
        (H200, {"dataParallel": 16, "expertParallel": True}, {"tensor": 1, "data": 16, "hosts": 2}, 8),
        (H200, {"tensorParallel": 16}, {"tensor": 16, "hosts": 2}, 1),
        (V6E, {}, {"tensor": 4, "hosts": 1}, 1),
        (V6E | {"topology": "4x4"}, {}, {"tensor": 16, "hosts": 4}, 1),
    ],
)
def test_what_is_not_said_follows(
    accelerator: dict[str, Any], stated: dict[str, Any], expected: dict[str, Any], ranks: int
) -> None:
    ctx = context_for(
        V6E | accelerator if "tpu" in accelerator["type"] else accelerator, {"id": "some/model", **stated}
    )
    layout = parallelism_of(ctx, ctx.settings.models[0])
    plain = {"pipeline": 1, "data": 1} | expected
    assert {key: getattr(layout, key) for key in plain} == plain
    assert layout.ranks_per_host == ranks


@pytest.mark.parametrize(
    ("accelerator", "expert", "backend"),
    [
        (H200, True, "deepep_low_latency"),
        (H200, False, "allgather_reducescatter"),
        (H100, True, "allgather_reducescatter"),
    ],
)
def test_tokens_travel_over_rdma_where_there_is_some(accelerator: dict[str, Any], expert: bool, backend: str) -> None:
    ctx = context_for(accelerator, {"id": "deepseek-ai/DeepSeek-R1", "dataParallel": 16, "expertParallel": expert})
    assert parallelism_of(ctx, ctx.settings.models[0]).all_to_all == backend


@pytest.mark.parametrize(
    ("accelerator", "stated", "nodes"),
    [
        (H100, {"replicas": 3, "tensorParallel": 4}, 2),
        (H100, {"replicas": 3}, 3),
        (H200, {"replicas": 3, "dataParallel": 16}, 6),
    ],
)
def test_groups_take_whole_hosts(accelerator: dict[str, Any], stated: dict[str, Any], nodes: int) -> None:
    ctx = context_for(accelerator, {"id": "some/model", **stated})
    assert fewest_nodes(pods_of(ctx, ctx.settings.models[0]), ctx.per_node) == nodes


def test_one_pod_serves_for_a_group_without_ranks() -> None:
    assert not Parallelism(tensor=16, hosts=2).every_pod_serves
    assert Parallelism(tensor=1, data=16, hosts=2).every_pod_serves
    assert Parallelism(tensor=8).every_pod_serves


class TestExpertsOverRanks:
    """DeepSeek-R1 in fp8 on H200s: 256 experts in 58 layers, everything else on every rank."""

    @staticmethod
    def weights(data: int, *, expert: bool = True, backend: str = "deepep_low_latency") -> float:
        run = engine_run(
            CATALOG.models["deepseek-ai/DeepSeek-R1"],
            CATALOG.accelerators["nvidia-h200-141gb"],
            "0.26.0",
            EngineOptions(max_model_len=16384, data_parallel=data, expert_parallel=expert, all_to_all=backend),
        )
        assert run is not None
        return judge(run).parts.weights

    def test_each_rank_holds_its_part_of_the_experts_and_all_the_rest(self) -> None:
        """Routed experts are 654e9 of 671e9 parameters, a byte each, and scales of 4 bytes to 16384."""
        experts = 3 * 7168 * 2048 * 256 * 58 * (1 + 4 / 16384) / 2**30
        for few, many in ((8, 16), (16, 32)):
            assert self.weights(few) - self.weights(many) == pytest.approx(experts / few - experts / many, rel=1e-3)

    def test_without_expert_parallelism_each_expert_is_cut_instead(self) -> None:
        """vLLM shares experts among all ranks either way."""
        assert self.weights(16, expert=False) == pytest.approx(self.weights(16), rel=1e-6)

    def test_an_uneven_share_is_the_largest(self) -> None:
        """256 over 24 is eleven for the fullest rank; over 32 it is eight."""
        average_share = (self.weights(16) - self.weights(32)) / 8
        assert self.weights(24) == pytest.approx(self.weights(32) + 3 * average_share, rel=1e-6)


def test_ranks_have_caches_of_their_own_and_answer_together() -> None:
    model, accelerator = CATALOG.models["Qwen/Qwen3-30B-A3B"], CATALOG.accelerators["nvidia-h100-80gb"]
    single, eight = (
        engine_run(
            model, accelerator, "0.26.0", EngineOptions(max_model_len=8192, data_parallel=ranks, expert_parallel=True)
        )
        for ranks in (1, 8)
    )
    assert single is not None
    assert eight is not None
    verdict = judge(eight)
    assert verdict.ranks == 8
    assert verdict.replica_tokens == 8 * verdict.kv_tokens
    assert verdict.available_gib > judge(single).available_gib
    single_speed, together = (
        estimate(single, accelerator, Load(512, 256, 64)),
        estimate(eight, accelerator, Load(512, 256, 512)),
    )
    assert single_speed is not None
    assert together is not None
    assert together.batch == single_speed.batch
    # More than eight times the requests: a rank reads an eighth of the experts, less what the exchange of tokens takes.
    assert 8 < together.requests_per_second / single_speed.requests_per_second < 16
