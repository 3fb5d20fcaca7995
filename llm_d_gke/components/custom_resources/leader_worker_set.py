"""LeaderWorkerSet, `leaderworkerset.x-k8s.io/v1` (replicas are groups of pods): the fields that this program sets."""

from typing import Annotated, Any, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Part, Spec

EXCLUSIVE_TOPOLOGY = "leaderworkerset.sigs.k8s.io/exclusive-topology"


class LeaderWorkerTemplate(Part):
    """Pod templates with the API's field names. Without `leader_template` the leader is like the workers."""

    leader_template: dict[str, Any] | None = None
    worker_template: dict[str, Any]
    size: Annotated[int, Field(ge=1)]
    # vLLM's distributed state does not survive the loss of one pod.
    restart_policy: Literal["RecreateGroupOnPodRestart"] = "RecreateGroupOnPodRestart"


class RollingUpdate(Part):
    """Rolling update. Values are numbers of groups, not of pods."""

    max_unavailable: Annotated[int, Field(ge=0)]
    max_surge: Annotated[int, Field(ge=0)]


class RolloutStrategy(Part):
    type: Literal["RollingUpdate"] = "RollingUpdate"
    rolling_update_configuration: RollingUpdate


class NetworkConfig(Part):
    """The controller creates one headless Service for all groups, which also publishes pods that are not ready."""

    subdomain_policy: Literal["Shared"] = "Shared"


class LeaderWorkerSetSpec(Spec, api_version="leaderworkerset.x-k8s.io/v1", kind="LeaderWorkerSet"):
    replicas: Annotated[int, Field(ge=0)]
    # Workers join while the leader starts; the leader becomes ready only with them.
    startup_policy: Literal["LeaderCreated"] = "LeaderCreated"
    rollout_strategy: RolloutStrategy
    leader_worker_template: LeaderWorkerTemplate
    network_config: NetworkConfig = Field(default_factory=NetworkConfig)
