"""Sliding windows beside NIXL's connector: stored separately since vLLM 0.18, as full attention before."""

from __future__ import annotations

from llm_d_gke.planning.plan.serving import ModelServerPlan
from tests.stacks import plan_of

FLAG = "--no-disable-hybrid-kv-cache-manager"


def decode(release: str) -> ModelServerPlan:
    changes = {
        "release": release,
        "models[0].id": "openai/gpt-oss-120b",
        "models[0].tensorParallel": 2,
        "models[0].maxModelLen": 131072,
        "models[0].maxNumBatchedTokens": 2048,
    }
    plan = plan_of("disaggregated-gpu", changes)
    return plan.models[0].servers[0]


def test_an_engine_whose_connector_knows_one_kind_is_not_asked_for_several() -> None:
    """It would end with: Connector NixlConnector does not support HMA but HMA is enabled."""
    assert FLAG in decode("llm-d-0.9").pod.args
    assert FLAG not in decode("llm-d-0.6").pod.args


def test_windows_save_nothing_there() -> None:
    """vllm-project/vllm issue 42024: gpt-oss-120b holds half as many tokens."""
    separate, together = decode("llm-d-0.9").memory, decode("llm-d-0.6").memory
    assert separate is not None
    assert together is not None
    assert 1.6 < separate.max_concurrency / together.max_concurrency < 2.4
