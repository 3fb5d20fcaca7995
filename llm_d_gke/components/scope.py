"""The values that all components inside the cluster share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from llm_d_gke.components.options import child


@dataclass(frozen=True, kw_only=True)
class ClusterScope:
    """The namespace of the stack, and the resource options of everything in it.

    `opts` carries the parent and the providers. `deleted_with` is the cluster, or None where the stack uses an
    existing one. `ready` are the resources that every pod of the namespace needs: a node, the namespace with its
    credentials, and the NetworkPolicies.
    """

    project: str
    workload_pool: str
    namespace: str
    opts: pulumi.ResourceOptions
    deleted_with: pulumi.Resource | None
    ready: tuple[pulumi.Resource, ...]

    def deleted_with_cluster(
        self,
        parent: pulumi.Resource,
        depends_on: Sequence[pulumi.Resource] = (),
        timeouts: pulumi.CustomTimeouts | None = None,
    ) -> pulumi.ResourceOptions:
        """Options of a child that is deleted with the cluster, so that destroy skips its deletion."""
        return child(parent, depends_on=depends_on, deleted_with=self.deleted_with, timeouts=timeouts)
