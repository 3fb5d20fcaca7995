"""What has to be done in a stack's cluster before Pulumi's destroy."""

from __future__ import annotations

from collections.abc import Callable

from llm_d_gke.fleet_exit import exported_pools, leave_fleet
from llm_d_gke.kserve_presets import free_presets, preset_namespaces
from llm_d_gke.kube import KubeError
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.interruption import read_state

# The simulated load balancer notices at once; an answer of a simulated engine takes seconds.
_QUIET_SECONDS, _PATIENCE = 3.0, 60.0


def prepare_destroy(paths: StackPaths, report: Callable[[str], None]) -> None:
    """Wait until the Gateway of the stack's fleet sends it no more requests, and free KServe's presets.

    A cluster that does not answer is destroyed all the same.
    """
    state = read_state(paths)
    pools, namespaces = exported_pools(state), preset_namespaces(state)
    if not (pools or namespaces) or not paths.kubeconfig.exists():
        return
    with client(paths) as kube:
        if pools:
            leave_fleet(
                kube,
                pools,
                lambda pod, port: f"{pod['status']['podIP']}:{port}",
                report,
                quiet=_QUIET_SECONDS,
                patience=_PATIENCE,
            )
        try:
            free_presets(kube, namespaces)
        except KubeError as reason:
            report(f"finalizers of KServe's presets were not looked at: {reason}")
