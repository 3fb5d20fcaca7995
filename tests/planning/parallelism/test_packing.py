"""Nodes for pods that share them: as few as hold all, and as many as hold all in any order."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_d_gke.planning.parallelism.packing import enough_nodes, fewest_nodes


@pytest.mark.parametrize(
    ("pods", "per_node", "fewest", "enough"),
    [
        ([], 8, 0, 0),
        ([1, 2, 1], 4, 1, 1),
        ([1, 1, 1, 1, 1], 4, 2, 2),
        ([8, 8, 8], 8, 3, 3),
        # Two small pods on two nodes leave no whole one.
        ([1, 4, 1], 4, 2, 3),
        ([8, 4, 4], 8, 2, 3),
        ([2, 2, 2, 4], 4, 3, 4),
        ([3, 3, 1, 1], 4, 2, 3),
    ],
)
def test_nodes_for_pods(pods: list[int], per_node: int, fewest: int, enough: int) -> None:
    assert fewest_nodes(pods, per_node) == fewest
    assert enough_nodes(pods, per_node) == enough


@pytest.mark.parametrize(
    ("pod", "standing", "enough"), [(1, [4, 4], 3), (2, [4, 2], 2), (1, [1, 4], 2), (4, [1, 1], 3), (4, [], 1)]
)
def test_only_new_pods_need_room(pod: int, standing: list[int], enough: int) -> None:
    assert enough_nodes([pod], 4, standing=standing) == enough


@given(st.lists(st.integers(1, 8), max_size=20), st.randoms(use_true_random=False))
def test_any_order_on_any_node_finds_room(pods: list[int], random: Random) -> None:
    """The scheduler may take any node with enough left, for each pod in any order."""
    nodes = enough_nodes(pods, 8)
    assert sum(pods) / 8 <= fewest_nodes(pods, 8) <= nodes
    left = [8] * nodes
    random.shuffle(pods)
    for pod in pods:
        fitting = [node for node, free in enumerate(left) if free >= pod]
        left[random.choice(fitting)] -= pod
