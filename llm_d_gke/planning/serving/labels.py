"""Labels of model server pods."""

from __future__ import annotations

# On pods, where the picker's filters read it, and on nodes, so that each role lands on its own pool.
ROLE_LABEL = "llm-d.ai/role"


def selector_of(key: str) -> dict[str, str]:
    """Labels by which Deployment, pool and monitoring select the servers of the model with this key."""
    return {"llm-d.ai/inference-serving": "true", "llm-d.ai/model": key}
