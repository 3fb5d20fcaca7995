"""LeaderWorkerSet, `leaderworkerset.x-k8s.io/v1`: replicas that are groups of pods. Only what this program says."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from components.custom_resources.base import Part, Spec

EXCLUSIVE_TOPOLOGY = "leaderworkerset.sigs.k8s.io/exclusive-topology"


class LeaderWorkerTemplate(Part):
    """Pod templates in Kubernetes' own spelling. Without `leader_template` the leader is as the workers are."""

    leader_template: dict[str, Any] | None = None
    worker_template: dict[str, Any]
    size: Annotated[int, Field(ge=1)]
    # What vLLM keeps between hosts does not survive one of them.
    restart_policy: Literal["RecreateGroupOnPodRestart"] = "RecreateGroupOnPodRestart"


class RollingUpdate(Part):
    """Counts of groups."""

    max_unavailable: Annotated[int, Field(ge=0)]
    max_surge: Annotated[int, Field(ge=0)]


class RolloutStrategy(Part):
    type: Literal["RollingUpdate"] = "RollingUpdate"
    rolling_update_configuration: RollingUpdate


class NetworkConfig(Part):
    """One headless Service for all groups, made by the controller; it publishes pods that are not ready."""

    subdomain_policy: Literal["Shared"] = "Shared"


class LeaderWorkerSetSpec(Spec):
    api_version_of_kind: ClassVar[str] = "leaderworkerset.x-k8s.io/v1"
    kind_of_spec: ClassVar[str] = "LeaderWorkerSet"

    replicas: Annotated[int, Field(ge=0)]
    # Workers join while the leader starts: it is ready only with them.
    startup_policy: Literal["LeaderCreated"] = "LeaderCreated"
    rollout_strategy: RolloutStrategy
    leader_worker_template: LeaderWorkerTemplate
    network_config: NetworkConfig = NetworkConfig()
