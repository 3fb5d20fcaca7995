"""Leads the cluster of a fleet's member out of the fleet before its destroy."""

from __future__ import annotations

from collections.abc import Callable

from llm_d_gke.fleet_exit import exported_pools, leave_fleet
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.interruption import read_state

# The simulated load balancer notices at once; an answer of a simulated engine takes seconds.
_QUIET_SECONDS, _PATIENCE = 3.0, 60.0


def leave_own_fleet(paths: StackPaths, report: Callable[[str], None]) -> None:
    """Wait until the Gateway of the stack's fleet sends it no more requests. Nothing for one that is no member."""
    pools = exported_pools(read_state(paths))
    if not pools or not paths.kubeconfig.exists():
        return
    with client(paths) as kube:
        leave_fleet(
            kube,
            pools,
            lambda pod, port: f"{pod['status']['podIP']}:{port}",
            report,
            quiet=_QUIET_SECONDS,
            patience=_PATIENCE,
        )
