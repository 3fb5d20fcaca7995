"""The GKE cluster: made by the stack, or brought."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import Field

from settings.base import Settings, form, replaces


class AuthorizedNetwork(Settings):
    """A range from which the control plane's address may be reached."""

    cidr: Annotated[IPv4Network, Field(description="IPv4 range.")]
    name: Annotated[str, Field(min_length=1, max_length=64, description="What the range is.")]


class ControlPlaneSettings(Settings):
    """How kubectl and Pulumi reach the API server."""

    access: Annotated[
        Literal["dns-endpoint", "authorized-networks"],
        Field(description="DNS endpoint guarded by IAM, or the public address for listed ranges only."),
    ] = "dns-endpoint"
    authorized_networks: Annotated[
        tuple[AuthorizedNetwork, ...], Field(description="Ranges for access: authorized-networks.")
    ] = ()


Moment = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        examples=["2026-01-03T02:00:00Z"],
        json_schema_extra=form("a day and time in UTC"),
    ),
]


class MaintenanceWindow(Settings):
    """When GKE may upgrade: a recurring window of at least four hours."""

    start: Annotated[Moment, Field(description="First start, RFC 3339 in UTC.")]
    end: Annotated[Moment, Field(description="First end, RFC 3339 in UTC.")]
    recurrence: Annotated[
        str,
        Field(
            pattern=r"^FREQ=",
            description="RFC 5545 RRULE, such as FREQ=WEEKLY;BYDAY=SA,SU.",
            examples=["FREQ=WEEKLY;BYDAY=SA,SU"],
            json_schema_extra=form("a recurrence rule of RFC 5545 that begins with FREQ="),
        ),
    ]


class ExistingCluster(Settings):
    """A cluster that somebody else made: this stack adds its node pools and workloads."""

    name: Annotated[str, Field(min_length=1, max_length=40, description="Name of the cluster in the stack's location.")]
    version: Annotated[
        str,
        Field(
            pattern=r"^[0-9]+\.[0-9]+\.[0-9]+-gke\.[0-9]+$",
            description="Its GKE version: it decides which CRDs are there.",
            examples=["1.35.2-gke.1842000"],
            json_schema_extra=form("a whole GKE version, as `gcloud container clusters describe` shows it"),
        ),
    ]


class ClusterSettings(Settings):
    """Shape of the cluster. With `existing`, everything else here is the cluster's own affair."""

    existing: Annotated[
        ExistingCluster | None,
        Field(description="Bring a cluster instead of making one.", json_schema_extra=replaces("cluster")),
    ] = None
    release_channel: Annotated[
        Literal["rapid", "regular", "stable", "extended"], Field(description="GKE release channel.")
    ] = "regular"
    version: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9]+\.[0-9]+(\.[0-9]+(-gke\.[0-9]+)?)?$",
            description="Least control plane version; by default the channel's.",
            examples=["1.35"],
            json_schema_extra=form("a GKE version, in quotes so that YAML does not read a number"),
        ),
    ] = None
    private_nodes: Annotated[bool, Field(description="Nodes have no public addresses and go out through NAT.")] = True
    control_plane: Annotated[ControlPlaneSettings, Field(description="Access to the API server.")] = (
        ControlPlaneSettings()
    )
    maintenance_window: Annotated[MaintenanceWindow | None, Field(description="When GKE may upgrade.")] = None
    deletion_protection: Annotated[
        bool, Field(description="Refuse to delete the cluster until an `up` with false has been run.")
    ] = False
