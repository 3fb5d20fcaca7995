"""A model's servers in two roles: prefill computes prompts, decode takes requests and writes answers.

A request arrives at a decode pod's routing sidecar. Where the picker named a prefill pod in a header, the sidecar
sends the prompt there first and then has its own engine fetch the KV cache; else its engine does both.
"""

from __future__ import annotations

from dataclasses import replace

from catalog.release import SidecarRelease
from catalog.schema import Model
from planning import names
from planning.context import PlanContext
from planning.disaggregation import kv_transfer
from planning.disaggregation.kv_transfer import Stage
from planning.parallelism.ports import PORT
from planning.plan.infrastructure import NodePoolPlan
from planning.plan.pods import ContainerPlan, EnvPlan, PodPlan, PortPlan, ProbePlan
from planning.plan.serving import ModelServerPlan

# The engine of a decode pod, behind its sidecar.
ENGINE_PORT = 8200
# Where KServe's preset for decode has it: the preset's port would stay beside another one.
KSERVE_ENGINE_PORT = 8001

# Of pods, where the picker's filters read it, and of nodes, so that each role lands on its own pool.
ROLE_LABEL = "llm-d.ai/role"

_SIDECAR = "routing-proxy"

# The sidecar keeps idle connections for 90 s; vLLM would close them after 5, and a request on such a one is lost.
_KEEP_ALIVE = EnvPlan(name="VLLM_HTTP_TIMEOUT_KEEP_ALIVE", value="120")


def in_role(ctx: PlanContext, server: ModelServerPlan, model: Model | None, key: str) -> ModelServerPlan:
    """A model's servers at one stage's site: as they are where they do both, else in that site's role."""
    if ctx.role == "both":
        return server
    name = f"{key}-{ctx.role}"
    selector = {**server.selector, ROLE_LABEL: ctx.role}
    claim = None if server.claim_template is None else replace(server.claim_template, name=f"{name}-rdma")
    pod = replace(server.pod, service_account=name, spread_over=selector, claims=() if claim is None else (claim.name,))
    return replace(
        server,
        name=name,
        role=ctx.role,
        service_account=name,
        selector=selector,
        serving_selector=selector,
        claim_template=claim,
        pod=_pod(ctx, ctx.role, pod, model),
        # Past the Gateway nobody names a prefill pod: decode servers answer alone.
        direct_service=server.direct_service if ctx.role == "decode" else None,
    )


def pool_in_role(ctx: PlanContext, pool: NodePoolPlan) -> NodePoolPlan:
    """A node pool of one stage: with a label that keeps the other's pods away."""
    if ctx.role == "both":
        return pool
    name = pool.name if ctx.role == "decode" else names.join(pool.name, ctx.role, length=names.CLUSTER_LENGTH)
    return replace(pool, name=name, node_labels={**pool.node_labels, ROLE_LABEL: ctx.role})


def _pod(ctx: PlanContext, stage: Stage, pod: PodPlan, model: Model | None) -> PodPlan:
    transfer = kv_transfer.transfer_of(ctx, model)
    pod = replace(
        pod,
        labels={**pod.labels, ROLE_LABEL: stage},
        node_selector={**pod.node_selector, ROLE_LABEL: stage},
        args=(*pod.args, *kv_transfer.arguments(transfer, stage)),
        env=(*pod.env, *transfer.environment, _KEEP_ALIVE),
        ports=(*pod.ports, *transfer.ports),
    )
    able = ctx.release.disaggregation
    if stage == "prefill" or able is None:
        return pod
    engine = KSERVE_ENGINE_PORT if ctx.settings.deployment == "kserve" else ENGINE_PORT
    return replace(
        pod,
        args=_on_port(pod.args, engine),
        ports=(PortPlan(name="engine", number=engine), *(port for port in pod.ports if port.number != PORT)),
        startup=replace(pod.startup, port=engine) if pod.startup is not None else None,
        liveness=replace(pod.liveness, port=engine) if pod.liveness is not None else None,
        readiness=replace(pod.readiness, port=engine) if pod.readiness is not None else None,
        sidecars=(_sidecar(able.sidecar, engine),),
    )


def _on_port(arguments: tuple[str, ...], port: int) -> tuple[str, ...]:
    place = arguments.index("--port") + 1
    return (*arguments[:place], str(port), *arguments[place + 1 :])


def _sidecar(release: SidecarRelease, engine: int) -> ContainerPlan:
    """TPUs take the same protocol as NIXL: what goes over it are addresses, not the cache itself."""
    # Whether it answers, not what: from some versions on /health is its own, in others the engine's.
    open_port = ProbePlan(port=PORT, period=10, timeout=5, failures=3)
    return ContainerPlan(
        container=_SIDECAR,
        image=release.image,
        args=(
            f"--port={PORT}",
            f"--{release.engine_port_flag}={engine}",
            f"--{release.connector_flag}=nixlv2",
            # Gateway and picker speak plain HTTP to the pool.
            f"--{release.tls_flag}=false",
        ),
        env=(),
        ports=(PortPlan(name="http", number=PORT),),
        requests={"cpu": "250m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
        limits={"cpu": "2", "memory": "512Mi", "ephemeral-storage": "256Mi"},
        startup=replace(open_port, period=1, failures=30),
        liveness=open_port,
        readiness=replace(open_port, period=5),
    )
