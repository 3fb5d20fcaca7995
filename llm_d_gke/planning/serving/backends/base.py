"""The interface of a serving back end: everything that depends on the creator of a model's pool, picker and servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llm_d_gke.catalog.release import DisaggregationRelease, Release
from llm_d_gke.planning.context import Role
from llm_d_gke.planning.plan.pods import EnvPlan
from llm_d_gke.planning.plan.serving import InferenceServicePlan, ModelServerPlan
from llm_d_gke.planning.served_model import ServedModel


@dataclass(frozen=True, kw_only=True)
class ServerNames:
    """Names of the objects of one model's servers in one role."""

    workload: str
    service_account: str
    claim_template: str
    direct_service: str


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """Replicas above and below the number of replicas during an update."""

    max_surge: int
    max_unavailable: int


@dataclass(frozen=True, kw_only=True)
class PoolNames:
    """An InferencePool, the labels of the pods in it, and its picker's Service."""

    name: str
    selector: Mapping[str, str]
    picker_service: str


@dataclass(frozen=True, kw_only=True)
class ExtProcIdentity:
    """Name, selector and start of a picker or model router.

    `name` is the Deployment, and the ConfigMap where `mounts_config` is set. `selector` finds its pods, `labels` are
    set on them. An empty `command` leaves the image's own. `readiness_delay` is in seconds. Without `sleeps_at_end`
    the kubelet sends SIGTERM as soon as the pod is deleted.
    """

    name: str
    container: str
    service_account: str
    selector: Mapping[str, str]
    labels: Mapping[str, str]
    command: tuple[str, ...] = ()
    mounts_config: bool = True
    sleeps_at_end: bool = True
    readiness_delay: int = 0


class ServingBackend(Protocol):
    """One way to create a model's InferencePool, endpoint picker and model servers.

    Builders in `planning.serving`, `planning.disaggregation` and `planning.routing` ask it for names and inputs; they
    do not test which back end it is.
    """

    @property
    def container(self) -> str:
        """Name of the engine's container."""

    @property
    def sidecar_container(self) -> str:
        """Name of the routing sidecar of a decode server."""

    @property
    def decode_engine_port(self) -> int:
        """Port of the engine behind a routing sidecar."""

    @property
    def needs_kserve(self) -> bool:
        """Whether the cluster needs KServe."""

    @property
    def creates_tokenizer_service(self) -> bool:
        """Whether the back end creates a Service through which the picker reaches an engine that tokenizes prompts."""

    def engine_command(self, command: tuple[str, ...], release: Release) -> tuple[str, ...]:
        """The command of an engine's container. `command` is what its parallelism needs, empty for the image's own."""

    def engine_environment(self) -> tuple[EnvPlan, ...]:
        """Variables of the engine after all others."""

    def pod_labels(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Those of a model server pod's labels that the plan sets."""

    def sidecar_command(self, release: DisaggregationRelease) -> tuple[str, ...]:
        """The command of the routing sidecar, empty for the image's own."""

    @property
    def sidecar_health_path(self) -> str | None:
        """Path of the routing sidecar's probes; None probes the port."""

    def server_names(self, key: str, role: Role, *, multi_node: bool) -> ServerNames:
        """Names for the servers of the model with this key."""

    def rollout(self, *, spare: bool, multi_node: bool) -> Rollout:
        """The update strategy where `spare` says whether the accelerator pool has room for one more replica."""

    def pool(self, key: str, serving_labels: Mapping[str, str]) -> PoolNames:
        """The model's pool. `serving_labels` mark the pods of a group that answer requests."""

    def picker(self, key: str, release: Release) -> ExtProcIdentity:
        """The model's endpoint picker."""

    def inference_service(self, served: ServedModel, key: str) -> InferenceServicePlan | None:
        """The object from which a controller creates all of the above; None where this program does."""

    def presets(self, servers: Sequence[ModelServerPlan]) -> tuple[str, ...]:
        """Names of empty presets in the stack's namespace, which the controller uses in place of its own."""

    def check_model(self, served: ServedModel, key: str) -> None:
        """Findings about the settings of one model."""

    def check_server(self, served: ServedModel, server: ModelServerPlan) -> None:
        """Findings about the servers of one model in one role."""
