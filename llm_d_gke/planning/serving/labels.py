"""Labels of model server pods."""

from __future__ import annotations

# On pods, where the picker's filters read it, and on nodes, so that each role lands on its own pool.
ROLE_LABEL = "llm-d.ai/role"

# A key of letters, hyphens and underscores only: GKE takes no others in the selector of an AutoscalingMetric
# (docs.cloud.google.com/kubernetes-engine/docs/how-to/expose-custom-metrics-autoscaling, read 2026-11-29).
METRIC_LABEL = "llm-d-metrics"


def selector_of(key: str) -> dict[str, str]:
    """Labels by which Deployment, pool and monitoring select the servers of the model with this key."""
    return {"llm-d.ai/inference-serving": "true", "llm-d.ai/model": key}
