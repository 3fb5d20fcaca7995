"""Shared resource options."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
from pulumi import CustomTimeouts, ResourceOptions

# GKE frees network endpoint groups and firewall rules some time after their owning objects are deleted.
SLOW_DELETE = CustomTimeouts(delete="30m")
# A zonal cluster takes 5 to 10 minutes. An accelerator pool waits for capacity.
SLOW_CREATE = CustomTimeouts(create="60m", update="60m", delete="60m")


def after(opts: ResourceOptions, *resources: pulumi.Resource) -> ResourceOptions:
    """The options, with further resources to wait for."""
    return ResourceOptions.merge(opts, ResourceOptions(depends_on=list(resources)))


def child(
    parent: pulumi.Resource,
    *,
    depends_on: Sequence[pulumi.Resource] = (),
    deleted_with: pulumi.Resource | None = None,
    timeouts: CustomTimeouts | None = None,
) -> ResourceOptions:
    """Options of a component's child. Provider and protection are inherited from the parent."""
    return ResourceOptions(
        parent=parent, depends_on=list(depends_on), deleted_with=deleted_with, custom_timeouts=timeouts
    )
