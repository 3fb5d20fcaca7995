"""Services of type ClusterIP, by which the load balancer and other pods reach the stack's own pods."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from llm_d_gke.components.instance import named


def cluster_service(
    name: str,
    described: ObjectMetaArgs,
    selector: Mapping[str, str],
    ports: list[kubernetes.core.v1.ServicePortArgs],
    opts: pulumi.ResourceOptions,
) -> kubernetes.core.v1.Service:
    """Create a Service for the pods of `selector`; `described` is its metadata."""
    return kubernetes.core.v1.Service(
        named(name, opts),
        metadata=described,
        spec=kubernetes.core.v1.ServiceSpecArgs(type="ClusterIP", selector=dict(selector), ports=ports),
        opts=opts,
    )


def service_port(
    name: str, number: int, target: str | int | None = None, *, app_protocol: str | None = None
) -> kubernetes.core.v1.ServicePortArgs:
    """A port of a Service. `target` is the pod's, by default the one with the same name."""
    return kubernetes.core.v1.ServicePortArgs(
        name=name,
        port=number,
        target_port=name if target is None else target,
        protocol="TCP",
        app_protocol=app_protocol,
    )
