"""The stack files in docs/environments.md can be planned, and merge as described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_d_gke.planning import plan_raw
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import PROJECT_ROOT, load
from llm_d_gke.stackfile.assumptions import assume_unset

_BLOCK = re.compile(r"```yaml\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A folder with the files of the page and this project's Pulumi.yaml."""
    page = (PROJECT_ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    for name, text in _BLOCK.findall(page):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "Pulumi.yaml").write_text((PROJECT_ROOT / "Pulumi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def _planned(folder: Path, stack: str) -> StackSettings:
    """The merged settings, after planning accepted them."""
    config = assume_unset(load(folder, stack))
    plan_raw(stack, config.settings(), config.encrypted())
    return StackSettings.model_validate(config.settings())


def test_both_stacks_are_the_base_and_their_own(rendered: Path) -> None:
    staging, production = (_planned(rendered, stack) for stack in ("staging", "production"))
    assert staging.pattern == production.pattern == "prefix-cache"
    assert [(model.id, model.max_model_len, model.replicas) for model in staging.models] == [
        ("Qwen/Qwen2.5-3B-Instruct", 8192, 2)
    ]
    assert production.models[0].replicas == 6
    assert (staging.accelerator.nodes.max, production.accelerator.nodes.max) == (2, 8)
    assert staging.labels == {"service": "assistant", "environment": "staging"}
    assert production.cluster.deletion_protection
