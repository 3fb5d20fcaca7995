"""Models whose ids say that they score texts or turn them into vectors."""

from __future__ import annotations

import pytest

from tests.stacks import plan_of


@pytest.mark.parametrize(
    "options",
    [
        ["--runner", "pooling"],
        ["--hf-overrides", '{"architectures": ["GemmaForSequenceClassification"], "classifier_from_token": ["Yes"]}'],
    ],
    ids=["runner", "architecture"],
)
def test_options_that_such_a_model_needs_are_no_second_finding(options: list[str]) -> None:
    model = {"id": "BAAI/bge-reranker-v2-gemma", "dtype": "half", "allowExtraArgs": True, "extraArgs": options}
    reported = [warning.id for warning in plan_of("gpu", {"models": [model]}).warnings if "models[0]" in warning.path]
    assert reported == ["LLMD-MODEL-KIND"]
