"""The two roles of disaggregated serving: prefill computes prompts, decode takes requests and writes answers.

A request arrives at a decode pod's routing sidecar. If the picker named a prefill pod in a header, the sidecar first
sends the prompt there, and its own engine then fetches the KV cache. Otherwise its own engine does both.
"""

from __future__ import annotations

from dataclasses import replace

from llm_d_gke.catalog.release import DisaggregationRelease
from llm_d_gke.planning import names
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.disaggregation import kv_transfer
from llm_d_gke.planning.parallelism.ports import PORT
from llm_d_gke.planning.plan.infrastructure import NodePoolPlan
from llm_d_gke.planning.plan.pods import ContainerPlan, EnvPlan, PortPlan, ProbePlan
from llm_d_gke.planning.served_model import ServedModel
from llm_d_gke.planning.serving.backends import ServingBackend, backend_of
from llm_d_gke.planning.serving.labels import ROLE_LABEL
from llm_d_gke.planning.serving.server_role import ServerRole

# For people who list pods, where no picker reads the label.
_ROLE = "both"


def role_of(served: ServedModel) -> ServerRole:
    """The additions to the model's pods in their server role."""
    ctx = served.ctx
    if ctx.role == "both":
        return ServerRole(name="both", label=ctx.release.role_of_both or _ROLE)
    transfer = kv_transfer.transfer_of(served)
    prefill = ServerRole(
        name=ctx.role,
        label=ctx.role,
        args=kv_transfer.arguments(transfer, ctx.role),
        env=transfer.environment,
        ports=transfer.ports,
    )
    release = ctx.release.disaggregation
    if ctx.role == "prefill" or release is None:
        return prefill
    backend = backend_of(ctx.settings)
    return replace(
        prefill,
        port=PortPlan(name="engine", number=backend.decode_engine_port),
        sidecars=(_sidecar(ctx, release, backend),),
    )


def pool_in_role(ctx: PlanContext, pool: NodePoolPlan) -> NodePoolPlan:
    """A node pool of one role, with a label that keeps the other role's pods away."""
    if ctx.role == "both":
        return pool
    name = pool.name if ctx.role == "decode" else names.join(pool.name, ctx.role, length=names.CLUSTER_LENGTH)
    return replace(pool, name=name, node_labels={**pool.node_labels, ROLE_LABEL: ctx.role})


def _sidecar(ctx: PlanContext, release: DisaggregationRelease, backend: ServingBackend) -> ContainerPlan:
    """The routing sidecar. TPUs use the same protocol as NIXL: it carries addresses, not the cache itself."""
    # Autopilot was seen to refuse containers of GPU pods with less than 512 MiB (agones-dev/agones issue 3411).
    disk = ("512Mi", "512Mi") if ctx.autopilot else ("64Mi", "256Mi")
    probe = ProbePlan(port=PORT, path=backend.sidecar_health_path, period=10, timeout=5, failures=3)
    sidecar = release.sidecar
    return ContainerPlan(
        container=backend.sidecar_container,
        image=sidecar.image,
        command=backend.sidecar_command(release),
        args=(
            f"--port={PORT}",
            f"--{sidecar.engine_port_flag}={backend.decode_engine_port}",
            f"--{sidecar.connector_flag}=nixlv2",
            # Gateway and picker use plain HTTP to the pool.
            f"--{sidecar.tls_flag}=false",
        ),
        env=tuple(EnvPlan(name=name, value=value) for name, value in sidecar.env.items()),
        ports=(PortPlan(name="http", number=PORT),),
        requests={"cpu": "250m", "memory": "256Mi", "ephemeral-storage": disk[0]},
        limits={"cpu": "2", "memory": "512Mi", "ephemeral-storage": disk[1]},
        startup=replace(probe, period=1, failures=30),
        liveness=probe,
        readiness=replace(probe, period=5),
    )
