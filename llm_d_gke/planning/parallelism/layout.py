"""Layout of one replica over accelerators and hosts, in vLLM's terms."""

from __future__ import annotations

from dataclasses import dataclass

from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.engine_support.options import ALL_TO_ALL, option_value
from llm_d_gke.settings.models import ModelSettings


@dataclass(frozen=True, kw_only=True)
class Parallelism:
    """`tensor` x `pipeline` x `data` accelerators on `hosts` hosts, one pod on each.

    Each data-parallel rank serves on its own port; otherwise the first host serves for all.
    `all_to_all` is how ranks exchange tokens for their experts, None where there is nothing to exchange.
    """

    tensor: int
    pipeline: int = 1
    data: int = 1
    expert: bool = False
    hosts: int = 1
    all_to_all: str | None = None

    @property
    def accelerators(self) -> int:
        """As the framework counts them: a chip of TPU v7x is two."""
        return self.tensor * self.pipeline * self.data

    @property
    def is_multi_node(self) -> bool:
        """Whether a replica has several pods."""
        return self.hosts > 1

    @property
    def ranks_per_host(self) -> int:
        """Servers, each with its port, in one pod."""
        return max(1, self.data // self.hosts)

    @property
    def every_pod_serves(self) -> bool:
        return self.data > 1 or self.hosts == 1


def parallelism_of(ctx: PlanContext, settings: ModelSettings) -> Parallelism:
    """As set; else all accelerators of a node share each layer (of a slice, on TPU), one per data-parallel rank.

    Inconsistent values are rounded to consistent ones: `llm_d_gke.planning.serving.parallelism_checks` reports them.
    """
    devices = ctx.per_node * ctx.accelerator.devices_per_chip
    data, pipeline = settings.data_parallel, settings.pipeline_parallel
    tensor = settings.tensor_parallel or (devices * ctx.hosts if data == 1 else 1)
    hosts = ctx.hosts if ctx.hosts > 1 else max(1, -(-tensor * pipeline * data // devices))
    return Parallelism(
        tensor=tensor,
        pipeline=pipeline,
        data=data,
        expert=settings.expert_parallel,
        hosts=hosts,
        all_to_all=_all_to_all(ctx, settings, hosts) if data > 1 else None,
    )


def pod_accelerators(ctx: PlanContext, parallelism: Parallelism) -> int:
    """Accelerators that each pod requests. A TPU's pod takes all chips of its host, and so does one pod of a group."""
    all_of_node = ctx.accelerator.kind == "tpu" or parallelism.is_multi_node
    return ctx.per_node if all_of_node else parallelism.accelerators


def pods_of(ctx: PlanContext, settings: ModelSettings, replicas: int | None = None) -> list[int]:
    """Accelerators of each pod of all replicas of a model, or of `replicas` of them."""
    parallelism = parallelism_of(ctx, settings)
    pods = (settings.replicas if replicas is None else replicas) * parallelism.hosts
    return [pod_accelerators(ctx, parallelism)] * pods


def _all_to_all(ctx: PlanContext, settings: ModelSettings, hosts: int) -> str:
    """DeepEP moves tokens from GPU to GPU over RDMA; without it vLLM's own default does with any network.

    Within one host, extra arguments may name other ways, for which nodes need nothing.
    """
    named = option_value(settings.extra_args, ALL_TO_ALL) if hosts == 1 else None
    if settings.all_to_all or named:
        return settings.all_to_all or str(named)
    return "deepep_low_latency" if ctx.machine.rdma and settings.expert_parallel else "allgather_reducescatter"
