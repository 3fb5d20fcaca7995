"""What is assumed of a stack file is what the stack on GKE has, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.planning import plan_config
from llm_d_gke.rehearsal.pulumi_engine.configuration import load as load_rehearsed
from llm_d_gke.stackfile.assumptions import load_assumed

STACK = """config:
  llm-d:location: us-central1-a
  llm-d:accelerator: {type: nvidia-l4}
  llm-d:gateway: {exposure: internal}
  llm-d:models:
    - %s
"""
GATED = "google/gemma-2b-it"


@pytest.mark.parametrize(
    ("model", "needs_token"),
    [
        ("{id: Qwen/Qwen3-0.6B}", False),
        (f"{{id: {GATED}}}", True),
        (f"{{id: {GATED}, source: {{kind: bucket, bucket: my-models, path: gemma}}}}", False),
    ],
)
def test_a_token_is_assumed_for_gated_models_of_the_hub_alone(model: str, needs_token: bool, tmp_path: Path) -> None:
    """Otherwise `verify` misses a Secret on GKE that the stack never had, and `eject` asks for its value."""
    (tmp_path / "Pulumi.yaml").write_text("name: llm-d\nruntime: python\n", encoding="utf-8")
    (tmp_path / "Pulumi.chat.yaml").write_text(STACK % model, encoding="utf-8")
    for config in (load_assumed("chat", root=tmp_path), load_rehearsed(tmp_path, "chat", own_release=True)):
        assert any("token" in note for note in config.notes) is needs_token
        assert (plan_config("chat", config).hugging_face.secret is not None) is needs_token
