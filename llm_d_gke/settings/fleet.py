"""Several clusters behind one multi-cluster Gateway."""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.settings.base import Settings


class FleetSettings(Settings):
    """One cluster of a fleet, whose clusters serve the same models behind one Gateway. Each cluster is a stack."""

    role: Annotated[
        Literal["config", "member"],
        Field(
            description="config: the one cluster that holds the Gateway and its routes. member: every other one,"
            " which has no Gateway of its own."
        ),
    ]
    proxy_cidrs: Annotated[
        Mapping[str, IPv4Network],
        Field(
            min_length=1,
            description="Range of the proxy-only subnet in the region of each cluster, the same list in every stack:"
            " the Gateway's proxies in any region reach the servers of all.",
            examples=[{"us-central1": "192.168.64.0/23", "europe-west4": "192.168.66.0/23"}],
        ),
    ]
    exported: Annotated[
        bool,
        Field(
            description="Whether the Gateway sends requests to this cluster's pool. With false and an `up`, a"
            " cluster leaves the fleet without lost requests. Pulumi refuses to destroy a member that has not left;"
            " `make destroy` does both."
        ),
    ] = True
    max_utilization_percent: Annotated[
        int,
        Field(ge=1, le=100, description="Use of the KV cache above which requests go to another cluster. Config only."),
    ] = 60
