"""Replicas of several pods, and pods of several servers: settings of vLLM, the network cards and Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.options import ALL_TO_ALL, option_value
from llm_d_gke.planning.parallelism.layout import Parallelism
from llm_d_gke.planning.parallelism.ports import PORT, SUPERVISOR_PORT
from llm_d_gke.planning.parallelism.rdma import uses_rdma
from llm_d_gke.planning.plan.pods import PodPlan, PortPlan, SecurityException, VolumePlan
from llm_d_gke.planning.plan.serving import ClaimTemplatePlan, LeaderWorkerPlan
from llm_d_gke.planning.serving.extra_args import flag_of
from llm_d_gke.planning.serving.labels import METRIC_LABEL

_RPC_PORT = 5555

# How long a server waits for its engines, seconds.
ENGINE_WAIT = "VLLM_ENGINE_READY_TIMEOUT_S"

# What the controller of LeaderWorkerSets puts on the pods: leaders have index 0, pods of one group share the key.
_INDEX_LABEL = "leaderworkerset.sigs.k8s.io/worker-index"
GROUP_LABEL = "leaderworkerset.sigs.k8s.io/group-key"
# A multi-host slice is a separate node pool, and a group must not be spread over two.
_NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"
# Machines within one fast network domain, the widest first (llm-d's docs for GKE).
_NEARNESS = ("cloud.google.com/gce-topology-block", "cloud.google.com/gce-topology-subblock")

_RDMA_CLASS = "mrdma.google.com"

# Ships in the image; waits until all hosts have joined the leader's Ray cluster.
_RAY_SCRIPT = "bash /workspace/vllm/examples/ray_serving/multi-node-serving.sh"


def ports(parallelism: Parallelism, first: PortPlan) -> tuple[PortPlan, ...]:
    """Ports of a pod's engines, the first engine's given, and the supervisor's port."""
    _, *others = serving_ports(parallelism)
    supervisor = (PortPlan(name="health", number=SUPERVISOR_PORT),) if parallelism.data > 1 else ()
    return (first, *others, *supervisor)


def serving_ports(parallelism: Parallelism) -> tuple[PortPlan, ...]:
    """Ports on which a pod accepts requests: one for each data-parallel rank."""
    return tuple(
        PortPlan(name="http" if rank == 0 else f"http-{rank}", number=PORT + rank)
        for rank in range(parallelism.ranks_per_host)
    )


def health_port(parallelism: Parallelism, engine_port: int = PORT) -> int:
    """The supervisor answers once all ranks do. A single engine answers on its own port."""
    return SUPERVISOR_PORT if parallelism.data > 1 else engine_port


def serving_labels(parallelism: Parallelism) -> dict[str, str]:
    """Labels of serving pods besides their model's labels: in a group with one server only the leader serves."""
    return {} if parallelism.every_pod_serves else {_INDEX_LABEL: "0"}


def arguments(parallelism: Parallelism, quantized: bool, extra: Sequence[str]) -> list[tuple[str, object]]:
    """`vllm serve` arguments of parallelism, values None left out. `quantized`: fp8 with scales in blocks.

    `extra` arguments may name other kernels for the experts.
    """
    data, all_to_all, own = parallelism.data, parallelism.all_to_all, set(map(flag_of, extra))
    options: list[tuple[str, object]] = [
        ("--tensor-parallel-size", parallelism.tensor if parallelism.tensor > 1 else None),
        ("--pipeline-parallel-size", parallelism.pipeline if parallelism.pipeline > 1 else None),
    ]
    if data > 1:
        options += [
            ("--data-parallel-size", data),
            ("--data-parallel-size-local", parallelism.ranks_per_host),
            ("--data-parallel-supervisor-port", SUPERVISOR_PORT),
        ]
        if parallelism.is_multi_node:
            options += [
                ("--data-parallel-address", "$(LWS_LEADER_ADDRESS)"),
                ("--data-parallel-rpc-port", _RPC_PORT),
            ]
        if parallelism.expert and all_to_all not in ("allgather_reducescatter", option_value(extra, ALL_TO_ALL)):
            options.append((ALL_TO_ALL, all_to_all))
        if parallelism.expert and all_to_all == "deepep_low_latency" and quantized and "--moe-backend" not in own:
            options.append(("--moe-backend", "deep_gemm"))
    return options


def flag_arguments(parallelism: Parallelism) -> tuple[str, ...]:
    """Arguments of parallelism without a value."""
    return (
        *(("--enable-expert-parallel",) if parallelism.expert else ()),
        *(("--data-parallel-multi-port-external-lb",) if parallelism.data > 1 else ()),
        *(("--enable-dbo",) if parallelism.expert and parallelism.all_to_all == "deepep_low_latency" else ()),
    )


def command(ctx: PlanContext, parallelism: Parallelism) -> tuple[str, ...]:
    """The command before the arguments. Only what arguments cannot say takes a shell: sums, and a second program."""
    engine = ctx.release.engine
    # A shell needs an explicit command; an image's entry point does not.
    own = engine.command or (engine.entry_point if parallelism.is_multi_node else ())
    words = " ".join(own)
    if not parallelism.is_multi_node:
        return own
    if parallelism.data > 1:
        start = f"$((LWS_WORKER_INDEX * {parallelism.ranks_per_host}))"
        return ("sh", "-c", f'exec {words} "$@" --data-parallel-start-rank {start}', own[0])
    if ctx.accelerator.kind == "tpu":
        return (
            "sh",
            "-c",
            f'{_RAY_SCRIPT} leader --ray_cluster_size=$LWS_GROUP_SIZE && exec {words} "$@"',
            own[0],
        )
    return own


def group_arguments(ctx: PlanContext, parallelism: Parallelism) -> tuple[str, ...]:
    """Arguments by which the hosts of a group with one server find each other: through Ray on TPU, else the leader."""
    if not parallelism.is_multi_node or parallelism.data > 1:
        return ()
    if ctx.accelerator.kind == "tpu":
        return ("--distributed-executor-backend", "ray")
    return (
        *("--nnodes", str(parallelism.hosts)),
        *("--node-rank", "$(LWS_WORKER_INDEX)"),
        *("--master-addr", "$(LWS_LEADER_ADDRESS)"),
    )


def worker_pod(
    ctx: PlanContext,
    parallelism: Parallelism,
    leader: PodPlan,
    arguments: tuple[str, ...],
    volumes: tuple[VolumePlan, ...],
) -> PodPlan | None:
    """The pods beside the leader, None where they are the same as the leader.

    Workers accept no requests: they have no ports and no probes, and `arguments` and `volumes` are the engine's
    without those of a server.
    """
    if parallelism.every_pod_serves:
        return None
    if ctx.accelerator.kind == "tpu":
        script = f"exec {_RAY_SCRIPT} worker --ray_address=$LWS_LEADER_ADDRESS"
        command: tuple[str, ...] = ("sh", "-c", script)
        args: tuple[str, ...] = ()
    else:
        command, args = leader.command, (*arguments, "--headless")
    return replace(
        leader,
        labels={key: value for key, value in leader.labels.items() if key != METRIC_LABEL},
        command=command,
        args=args,
        ports=(),
        volumes=volumes,
        startup=None,
        liveness=None,
        readiness=None,
    )


def plan_leader_worker(ctx: PlanContext, parallelism: Parallelism, workers: PodPlan | None) -> LeaderWorkerPlan | None:
    """The joint start and end of a replica's pods; None for a replica of one pod."""
    if not parallelism.is_multi_node:
        return None
    return LeaderWorkerPlan(
        size=parallelism.hosts,
        ranks=parallelism.data,
        workers=workers,
        exclusive_topology=_NODE_POOL_LABEL if ctx.accelerator.kind == "tpu" else None,
    )


def environment(ctx: PlanContext, parallelism: Parallelism, start_up_seconds: int) -> Mapping[str, str]:
    """Variables of servers that start together."""
    if not parallelism.is_multi_node and parallelism.data == 1:
        return {}
    return _group_environment(ctx, parallelism) | {
        # vLLM's own ten minutes are over before such weights are loaded.
        ENGINE_WAIT: str(start_up_seconds)
    }


def _group_environment(ctx: PlanContext, parallelism: Parallelism) -> dict[str, str]:
    if not parallelism.is_multi_node:
        return {}
    if ctx.accelerator.kind == "tpu":
        # As llm-d's multi-host shape has them; LeaderWorkerSet's webhook adds the addresses of all hosts.
        return {
            "TPU_MULTIHOST_BACKEND": "ray",
            "TPU_BACKEND_TYPE": "jax",
            "JAX_PLATFORMS": "",
            "RAY_health_check_failure_threshold": "100",
            "RAY_health_check_timeout_ms": "20000",
            "RAY_health_check_period_ms": "10000",
            "RAY_CGRAPH_get_timeout": "6000",
        }
    values = {"GLOO_SOCKET_IFNAME": "eth0", "NCCL_SOCKET_IFNAME": "eth0"}
    if not uses_rdma(ctx, parallelism):
        return values
    # GKE's folder of libraries may hold plugins for another NCCL than the image's, and NCCL would load them by itself
    # (llm-d/llm-d guides/wide-ep-lws/modelserver/gpu/vllm-deepseek-r1-0528/gke at 2812018).
    values |= {"NCCL_TUNER_PLUGIN": "none", "NCCL_NET_PLUGIN": ""}
    if _opens_from_gpu(parallelism):
        cards = ",".join(f"{gpu}:mlx5_{gpu}:1" for gpu in range(ctx.per_node))
        values |= {
            "NVSHMEM_REMOTE_TRANSPORT": "ibgda",
            "NVSHMEM_IB_ENABLE_IBGDA": "true",
            "NVSHMEM_BOOTSTRAP_UID_SOCK_IFNAME": "eth0",
            "NVSHMEM_DISABLE_GDRCOPY": "1",
            "DEEP_EP_DEVICE_TO_HCA_MAPPING": cards,
        }
    return values


def claim_template(ctx: PlanContext, parallelism: Parallelism, name: str) -> ClaimTemplatePlan | None:
    """The network cards that a pod takes besides its GPUs: all of its node."""
    if not uses_rdma(ctx, parallelism):
        return None
    return ClaimTemplatePlan(name=name, device_class=_RDMA_CLASS)


def capabilities(ctx: PlanContext, parallelism: Parallelism) -> tuple[str, ...]:
    """Linux capabilities: RDMA pins memory."""
    return ("IPC_LOCK",) if uses_rdma(ctx, parallelism) else ()


def security_exception(ctx: PlanContext, parallelism: Parallelism) -> SecurityException | None:
    """The rule of Pod Security `restricted` that a model server's pods cannot keep, the widest of several."""
    if ctx.accelerator.kind == "tpu":
        return SecurityException(rule="runAsNonRoot", reason="libtpu opens /dev/vfio, which GKE gives to root only")
    if not uses_rdma(ctx, parallelism):
        return None
    if _opens_from_gpu(parallelism):
        return SecurityException(
            rule="privileged",
            reason="DeepEP opens RDMA connections from the GPU (NVSHMEM IBGDA), which GKE's driver gives to privileged"
            " containers only",
        )
    return SecurityException(
        rule="capabilities", reason="RDMA pins memory (IPC_LOCK), and a capability reaches root's processes only"
    )


def pod_security_level(exceptions: Sequence[SecurityException | None]) -> str:
    """The strictest level of Pod Security that admits pods with these exceptions."""
    rules = {exception.rule for exception in exceptions if exception is not None}
    if rules & {"capabilities", "privileged"}:
        # `baseline` allows neither IPC_LOCK nor privileged containers.
        return "privileged"
    return "baseline" if rules else "restricted"


def placement_labels(ctx: PlanContext, parallelism: Parallelism) -> tuple[str, ...]:
    """Node labels by which a group's pods are put near one another where nodes allow it."""
    return _NEARNESS if parallelism.is_multi_node and ctx.accelerator.kind == "gpu" else ()


def _opens_from_gpu(parallelism: Parallelism) -> bool:
    kind = load_engine().all_to_all.get(parallelism.all_to_all or "")
    return kind is not None and parallelism.expert and kind.privileged
