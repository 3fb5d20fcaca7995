"""InferenceObjective, `inference.networking.x-k8s.io/v1alpha2` (Gateway API Inference Extension, apix/v1alpha2)."""

from typing import Literal

from llm_d_gke.components.custom_resources.base import Part, Spec


class PoolRef(Part):
    """A pool of the same namespace. A picker reads the objectives of its own pool only."""

    group: Literal["inference.networking.k8s.io"] = "inference.networking.k8s.io"
    kind: Literal["InferencePool"] = "InferencePool"
    name: str


class InferenceObjectiveSpec(Spec, api_version="inference.networking.x-k8s.io/v1alpha2", kind="InferenceObjective"):
    pool_ref: PoolRef
    priority: int
