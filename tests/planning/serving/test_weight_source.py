"""Weights on a claim, whose disk one node or many attach."""

from __future__ import annotations

from tests.stacks import plan_of

_CLAIM = {"kind": "volume-claim", "claim": "weights", "path": "gemma"}


def ids(nodes: int) -> list[str]:
    plan = plan_of("gpu", {"models[0].source": _CLAIM, "accelerator.nodes.max": nodes})
    return [finding.id for finding in plan.warnings]


def test_a_claim_is_accepted_where_one_node_mounts_it() -> None:
    assert "LLMD-CLAIM-NODES" not in ids(1)
    assert "LLMD-CLAIM-NODES" in ids(2)
