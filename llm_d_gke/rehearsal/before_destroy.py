"""What has to be done in a stack's cluster before Pulumi's destroy."""

from __future__ import annotations

from collections.abc import Callable

from llm_d_gke.fleet_exit import exported_pools, holds_gateway, leave_fleet, refusal, unprotect
from llm_d_gke.kserve_presets import free_presets, preset_namespaces
from llm_d_gke.kube import KubeError
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.load_balancer.fleet import projects
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.providers.gcp.cloud_view import CloudReader
from llm_d_gke.rehearsal.pulumi_engine.engine import Engine
from llm_d_gke.rehearsal.pulumi_engine.interruption import Recorded, read_state

# The simulated load balancer notices at once; an answer of a simulated engine takes seconds.
_QUIET_SECONDS, _PATIENCE = 3.0, 60.0


def refuse_members(paths: StackPaths) -> None:
    """Raise RehearsalError where a stack would take away the Gateway of a fleet that has other clusters."""
    if not holds_gateway(read_state(paths)):
        return
    own = projects(CloudReader(paths).read())
    others = (StackPaths(home.name, paths.root) for home in sorted(paths.base.iterdir()))
    members = [other.stack for other in others if other != paths and own & projects(CloudReader(other).read())]
    if members:
        raise RehearsalError(refusal(paths.stack, members, "make down"))


def prepare_destroy(pulumi: Engine, report: Callable[[str], None]) -> None:
    """Wait until the Gateway of the stack's fleet sends it no more requests, and free KServe's presets.

    A cluster that does not answer is destroyed all the same.
    """
    paths = pulumi.paths
    state = read_state(paths)
    pools, namespaces = exported_pools(state), preset_namespaces(state)
    if pools:
        unprotect(Recorded(pulumi.stack))
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
