"""Containers and pods: what differs between this program's pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llm_d_gke.planning.plan.infrastructure import TaintPlan


@dataclass(frozen=True, kw_only=True)
class EnvPlan:
    """One environment variable: a literal, a field of the pod, or a key of a Secret."""

    name: str
    value: str | None = None
    field_path: str | None = None
    # Whether models[].env of the stack file names it.
    of_stack_file: bool = False
    secret: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class PortPlan:
    name: str
    number: int


@dataclass(frozen=True, kw_only=True)
class ProbePlan:
    """GET of `path`, gRPC health of `grpc_service`, or without both whether the port is open. Times in seconds."""

    port: int
    path: str | None = None
    scheme: Literal["HTTP", "HTTPS"] = "HTTP"
    grpc_service: str | None = None
    initial_delay: int = 0
    period: int = 10
    timeout: int = 5
    failures: int = 3


@dataclass(frozen=True, kw_only=True)
class VolumePlan:
    """A volume and where it is mounted. `source` is the Kubernetes volume source, `kind` its key."""

    name: str
    kind: str
    source: Mapping[str, Any]
    mount_path: str
    read_only: bool = False


@dataclass(frozen=True, kw_only=True)
class ConfigFilePlan:
    """A ConfigMap with one file."""

    name: str
    key: str
    content: str


@dataclass(frozen=True, kw_only=True)
class SecurityException:
    """A rule of Pod Security `restricted` that a pod cannot keep, and why."""

    rule: Literal["runAsNonRoot", "capabilities", "privileged"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class ContainerPlan:
    """One container. Its volumes are the pod's: where two containers name the same one, they share it."""

    container: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...]
    env: tuple[EnvPlan, ...] = ()
    ports: tuple[PortPlan, ...]
    requests: Mapping[str, str]
    limits: Mapping[str, str]
    startup: ProbePlan | None = None
    # None for a container without a server.
    liveness: ProbePlan | None = None
    readiness: ProbePlan | None = None
    volumes: tuple[VolumePlan, ...] = ()
    # For a sidecar whose pod runs as root: only the engine has the exception.
    user_beside_root: int = 65532


@dataclass(frozen=True, kw_only=True)
class PodPlan(ContainerPlan):
    """A pod of one container and its sidecars; only what differs between this program's pods.

    Sidecars are native ones: they start before the container and end after it.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    sidecars: tuple[ContainerPlan, ...] = ()
    service_account: str
    # Only picker and model router talk to the API server.
    mount_api_token: bool
    user: int
    security_exception: SecurityException | None = None
    # Linux capabilities that the container keeps.
    capabilities: tuple[str, ...] = ()
    # Templates of devices, of dynamic resource allocation, that the pod takes.
    claims: tuple[str, ...] = ()
    # Node labels: pods of one group rather have the same value of each, the first most.
    near: tuple[str, ...] = ()
    node_selector: Mapping[str, str]
    tolerations: tuple[TaintPlan, ...] = ()
    # For how long a new pod of a Deployment is ready before an old one is removed.
    min_ready_seconds: int = 0
    # Seconds from the pod's deletion to SIGTERM. The pod serves on, because senders notice its deletion later.
    pre_stop_seconds: int = 0
    # From the deletion to SIGKILL.
    grace_seconds: int
    pull_secret: str | None
    # Replicas of a workload are kept apart where nodes allow it.
    spread_over: Mapping[str, str] = field(default_factory=dict)
