"""The pod of a callout: the picker or the model router, which the load balancer asks before a request goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from planning.plan.platform import PullSecretPlan
from planning.plan.pods import EnvPlan, PodPlan, PortPlan, ProbePlan, VolumePlan
from planning.serving.shutdown import CALLOUT_DRAIN_SECONDS, END_SECONDS, LISTED_SECONDS

CONFIG_DIRECTORY = "/etc/llm-d"

# The images are distroless and run as this user.
_USER = 65532


class Size(Protocol):
    """What settings of a callout say: how many pods, and of what size each."""

    @property
    def replicas(self) -> int: ...
    @property
    def cpu(self) -> str: ...
    @property
    def memory(self) -> str: ...


def port_arguments(grpc: int, health: int, metrics: int) -> tuple[str, ...]:
    return (f"--grpc-port={grpc}", f"--grpc-health-port={health}", f"--metrics-port={metrics}")


def callout_pod(
    *,
    name: str,
    container: str,
    component: str,
    image: str,
    args: tuple[str, ...],
    env: tuple[EnvPlan, ...],
    ports: tuple[int, int, int],
    size: Size,
    selector: Mapping[str, str],
    config: Mapping[str, Any] | None,
    liveness: ProbePlan,
    readiness: ProbePlan,
    notice_seconds: int,
    pull_secret: PullSecretPlan | None,
) -> PodPlan:
    """One pod of the Deployment, ServiceAccount and, where `config` is given, ConfigMap called `name`.

    `ports` are those of gRPC, of its health and of metrics; `notice_seconds` is how long it serves on when deleted.
    """
    volume = VolumePlan(
        name="config", kind="configMap", source={"name": name}, mount_path=CONFIG_DIRECTORY, read_only=True
    )
    names = ("grpc", "grpc-health", "metrics")
    return PodPlan(
        container=container,
        image=image,
        labels={
            **selector,
            "app.kubernetes.io/component": component,
            "app.kubernetes.io/part-of": "llm-d",
        },
        # A configuration is read once, at the start.
        annotations={} if config is None else {"checksum/config": _digest(config)},
        command=(),
        args=args,
        env=env,
        ports=tuple(PortPlan(name=one, number=port) for one, port in zip(names, ports, strict=True)),
        requests={"cpu": size.cpu, "memory": size.memory},
        # A limit of CPU below what a burst needs would delay every request; memory is bounded as requested.
        limits={"cpu": "4", "memory": size.memory},
        startup=None,
        liveness=liveness,
        readiness=readiness,
        volumes=() if config is None else (volume,),
        service_account=name,
        mount_api_token=True,
        user=_USER,
        security_exception=None,
        node_selector={},
        tolerations=(),
        # Of those that elect a leader only the leader is ready.
        min_ready_seconds=LISTED_SECONDS if notice_seconds else 0,
        pre_stop_seconds=notice_seconds,
        grace_seconds=notice_seconds + CALLOUT_DRAIN_SECONDS + END_SECONDS,
        pull_secret=pull_secret.name if pull_secret else None,
        spread_over=selector if size.replicas > 1 else {},
    )


def _digest(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]
