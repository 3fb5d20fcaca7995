"""The resources in a preview of both stacks change only on purpose."""

from __future__ import annotations

import difflib

import pytest

from llm_d_gke.resource_graph import Graph
from tests.golden import path_of, rendered
from tests.stacks import STACKS, TOKEN


@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_is_the_golden_one(stack: str) -> None:
    golden, now = path_of(stack).read_text(encoding="utf-8"), rendered(stack)
    if now != golden:
        difference = difflib.unified_diff(
            golden.splitlines(), now.splitlines(), f"golden/{stack}.json", "this program", n=6, lineterm=""
        )
        pytest.fail(
            "\n".join(["the preview changed; if that is wanted: python -m tests.golden", "", *difference]),
            pytrace=False,
        )


def test_the_golden_previews_are_of_the_default_release(either: Graph) -> None:
    """Not of the release that is rehearsed: these files are what GKE gets."""
    text = path_of(either.stack).read_text(encoding="utf-8")
    assert "llm-d-router-endpoint-picker:v0.10.0" in text
    assert TOKEN not in text
