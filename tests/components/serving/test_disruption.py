"""A drained node takes one replica at a time, and is never held up by a replica that has no other."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.resource_graph import Graph
from tests.objects import of_kind, pods, selects
from tests.stacks import graph_of

BUDGET = "PodDisruptionBudget"


@pytest.mark.parametrize(
    ("stack", "changes", "guarded"),
    [
        ("gpu", {}, set()),
        ("gpu", {"models[0].replicas": 2}, {"gemma-2b-it-vllm"}),
        ("gpu", {"models[0].replicas": 2, "paused": True}, set()),
        # Of several pickers only the leader is ready: a budget would keep its node from being drained indefinitely.
        ("tpu", {"picker.replicas": 2}, set()),
        ("gpu", {"picker.replicas": 2, "deployment": "kserve"}, set()),
        ("multi-model-gpu", {}, {"model-router"}),
        ("multi-model-gpu", {"router.replicas": 1}, set()),
        ("prefix-cache-tpu", {"picker.replicas": 3}, {"qwen2-5-3b-instruct-vllm"}),
    ],
)
def test_what_has_replicas_has_a_budget(stack: str, changes: dict[str, Any], guarded: set[str]) -> None:
    budgets = of_kind(graph_of(stack, changes), BUDGET)
    assert {budget["metadata"]["name"] for budget in budgets} == guarded
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets)
    # Replicas of which none is ready do not keep their node from being drained.
    assert all(budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow" for budget in budgets)


def test_a_budget_is_about_the_deployment_it_is_named_after() -> None:
    graph: Graph = graph_of("multi-model-gpu", {"models[0].replicas": 2})
    templates = pods(graph)
    chosen = {
        budget["metadata"]["name"]: [
            name for name, pod in templates.items() if selects(budget["spec"]["selector"]["matchLabels"], pod)
        ]
        for budget in of_kind(graph, BUDGET)
    }
    assert len(chosen) == 2
    assert chosen == {name: [name] for name in chosen}
