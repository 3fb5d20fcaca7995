"""The VPC the stack lives in: made by the stack, or brought."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field

from settings.base import Settings, replaces


class ExistingNetwork(Settings):
    """A network and node subnet that somebody else made."""

    network: Annotated[str, Field(min_length=1, description="Name of the VPC.")]
    subnetwork: Annotated[str, Field(min_length=1, description="Name of the node subnet in the stack's region.")]
    pod_range: Annotated[str, Field(min_length=1, description="Name of the subnet's secondary range for pods.")]
    service_range: Annotated[str, Field(min_length=1, description="Name of the subnet's secondary range for services.")]
    proxy_subnetwork: Annotated[
        str | None,
        Field(
            description="Name of the active proxy-only subnet of region and VPC; made from `proxyCidr` where absent."
        ),
    ] = None
    auto_mode: Annotated[bool, Field(description="The VPC is in auto mode: it owns 10.128.0.0/9 in every region.")] = (
        False
    )


class NetworkSettings(Settings):
    """IPv4 ranges of the stack. With `existing`, only `proxyCidr` may still be needed."""

    existing: Annotated[
        ExistingNetwork | None,
        Field(
            description="Bring a network instead of making one.",
            json_schema_extra=replaces("network", "subnet", "cluster"),
        ),
    ] = None
    node_cidr: Annotated[
        IPv4Network, Field(description="Addresses of nodes.", json_schema_extra=replaces("subnet"))
    ] = IPv4Network("10.0.0.0/20")
    pod_cidr: Annotated[IPv4Network, Field(description="Secondary range of pods.")] = IPv4Network("10.4.0.0/14")
    service_cidr: Annotated[IPv4Network, Field(description="Secondary range of services.")] = IPv4Network("10.8.0.0/20")
    proxy_cidr: Annotated[
        IPv4Network,
        Field(
            description="Proxy-only subnet of the regional load balancers; /23 recommended, /26 at least.",
            json_schema_extra=replaces("subnet"),
        ),
    ] = IPv4Network("192.168.0.0/23")
