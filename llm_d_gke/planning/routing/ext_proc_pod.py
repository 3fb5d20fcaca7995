"""The pod of a picker or model router, which the load balancer consults about each request (Envoy's ext_proc)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from llm_d_gke.planning.plan.platform import PullSecretPlan
from llm_d_gke.planning.plan.pods import EnvPlan, PodPlan, PortPlan, ProbePlan, VolumePlan
from llm_d_gke.planning.serving.backends import ExtProcIdentity
from llm_d_gke.planning.serving.shutdown import CALLOUT_DRAIN_SECONDS, END_SECONDS, LISTED_SECONDS

CONFIG_DIRECTORY = "/etc/llm-d"

# The images are distroless and run as this user.
_USER = 65532


class Size(Protocol):
    """Settings of a picker or router: how many pods, and the size of each."""

    @property
    def replicas(self) -> int: ...
    @property
    def cpu(self) -> str: ...
    @property
    def memory(self) -> str: ...


def port_arguments(grpc: int, health: int, metrics: int) -> tuple[str, ...]:
    return (f"--grpc-port={grpc}", f"--grpc-health-port={health}", f"--metrics-port={metrics}")


@dataclass(frozen=True, kw_only=True)
class ExtProcProgram:
    """The program of the pod, and its nodes. `ports` are those of gRPC, of its health service and of metrics."""

    image: str
    args: tuple[str, ...]
    env: tuple[EnvPlan, ...]
    ports: tuple[int, int, int]
    liveness: ProbePlan
    readiness: ProbePlan
    node_selector: Mapping[str, str]


def ext_proc_pod(
    identity: ExtProcIdentity,
    program: ExtProcProgram,
    size: Size,
    config: Mapping[str, Any] | None,
    notice_seconds: int,
    pull_secret: PullSecretPlan | None,
) -> PodPlan:
    """One pod. `notice_seconds` is how long it keeps serving after its deletion. `config` is its configuration file."""
    mounted = config if identity.mounts_config else None
    volume = VolumePlan(
        name="config", kind="configMap", source={"name": identity.name}, mount_path=CONFIG_DIRECTORY, read_only=True
    )
    names = ("grpc", "grpc-health", "metrics")
    return PodPlan(
        container=identity.container,
        image=program.image,
        labels=identity.labels,
        # A configuration is read once, at the start: a changed one has to be a new pod.
        annotations={} if mounted is None else {"checksum/config": _digest(mounted)},
        command=identity.command,
        args=program.args,
        env=program.env,
        ports=tuple(PortPlan(name=name, number=port) for name, port in zip(names, program.ports, strict=True)),
        # Nothing is written but logs, of which the kubelet keeps 50 MiB.
        requests={"cpu": size.cpu, "memory": size.memory, "ephemeral-storage": "64Mi"},
        # A limit of CPU below what a burst needs would delay every request; memory is bounded as requested.
        limits={"cpu": "4", "memory": size.memory, "ephemeral-storage": "256Mi"},
        liveness=program.liveness,
        readiness=program.readiness,
        volumes=() if mounted is None else (volume,),
        service_account=identity.service_account,
        mount_api_token=True,
        user=_USER,
        node_selector=program.node_selector,
        # Of those that elect a leader only the leader is ready.
        min_ready_seconds=LISTED_SECONDS if notice_seconds else 0,
        pre_stop_seconds=notice_seconds if identity.sleeps_at_end else 0,
        grace_seconds=notice_seconds + CALLOUT_DRAIN_SECONDS + END_SECONDS,
        pull_secret=pull_secret.name if pull_secret else None,
        spread_over=identity.selector if size.replicas > 1 else {},
    )


def _digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
