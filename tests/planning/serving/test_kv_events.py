"""A precise index beside prompts with images."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks import plan_of


@pytest.mark.parametrize(
    ("routing", "model", "warned"),
    [
        ("precise", {"id": "Qwen/Qwen3-VL-2B-Instruct"}, True),
        ("precise", {"id": "Qwen/Qwen3-VL-2B-Instruct", "extraArgs": ["--language-model-only"]}, False),
        ("precise", {"id": "Qwen/Qwen3-VL-2B-Instruct", "extraArgs": ['--limit-mm-per-prompt={"image": 0}']}, False),
        ("precise", {"id": "Qwen/Qwen3-VL-2B-Instruct", "extraArgs": ['--limit-mm-per-prompt={"video": 0}']}, True),
        ("precise", {"id": "Qwen/Qwen3-1.7B"}, False),
        ("approximate", {"id": "Qwen/Qwen3-VL-2B-Instruct"}, False),
    ],
)
def test_images_are_named_where_the_index_renders_them(routing: str, model: dict[str, Any], warned: bool) -> None:
    changes = {"picker.prefixRouting": routing, "models": [{"maxModelLen": 2048, "allowExtraArgs": True, **model}]}
    warnings = [finding.id for finding in plan_of("gpu", changes).warnings]
    assert ("LLMD-KV-EVENTS-IMAGES" in warnings) == warned
