"""Random stacks of all kinds: a value that every stack is refused for would be in none of them."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.maintenance.fuzz.run import outcome
from llm_d_gke.maintenance.fuzz.varied import MODEL

STACK: dict[str, Any] = {
    "project": "my-project",
    "location": "us-central1-a",
    "accelerator": {"type": "nvidia-l4", "nodes": {"min": 0, "max": 3}},
}


@pytest.mark.parametrize("own", MODEL, ids=str)
def test_each_setting_of_a_model_is_planned_with_some_stack(own: dict[str, Any]) -> None:
    model = {"id": "Qwen/Qwen3-4B", "maxModelLen": 4096, **own}
    assert outcome({**STACK, "models": [model]}) == "plan"
