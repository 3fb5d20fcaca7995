"""LoRA adapters of mixtures of experts, whose layers vLLM wraps as soon as adapters are enabled."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.engine_tables import EngineFacts
from llm_d_gke.planning.engine_support.deployment import Deployment, Refusal

_SOURCE = "vllm/lora/layers/fused_moe.py"
# Tables: 0.19.1 and older assert that there is no expert parallelism, and that experts run in Triton's kernels.
_EXPERTS_SHARED, _OTHER_KERNELS = (0, 22), (0, 22)
ALL_TO_ALL_OF_ADAPTERS = "allgather_reducescatter"


def adapters_refusals(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    if not deployment.adapters or deployment.model.experts is None:
        return
    reason = _shared_experts_refusal(deployment, facts)
    if reason is not None:
        yield Refusal(
            kind="adapters-experts",
            about="expertParallel",
            reason=reason,
            source=f"{_SOURCE}; vllm-project/vllm issue 38005",
        )
        return
    quantization = deployment.model.quantization
    if quantization is not None and quantization.is_nvfp4 and facts.number < _OTHER_KERNELS:
        yield Refusal(
            kind="adapters-experts",
            about="id",
            reason=f"vLLM {facts.version} has adapters for experts in Triton's kernels only, and those of"
            f" {deployment.model.id} are in NVFP4",
            source=f"{_SOURCE}; vllm-project/vllm pull request 34421",
        )


def _shared_experts_refusal(deployment: Deployment, facts: EngineFacts) -> str | None:
    """Why these experts cannot have adapters as they are shared among devices."""
    if not deployment.expert_parallel or deployment.tensor_parallel * deployment.data_parallel == 1:
        return None
    if facts.number < _EXPERTS_SHARED:
        return f"vLLM {facts.version} has no adapters for experts that are shared among devices by expert parallelism"
    if deployment.data_parallel == 1:
        return None
    if deployment.all_to_all != ALL_TO_ALL_OF_ADAPTERS:
        return (
            f"with adapters vLLM {facts.version} exchanges tokens of experts by {ALL_TO_ALL_OF_ADAPTERS} only, not by"
            f" {deployment.all_to_all}"
        )
    if deployment.tensor_parallel > 1:
        return (
            f"with adapters vLLM {facts.version} shares experts among ranks of one device, and here a rank has"
            f" {deployment.tensor_parallel}"
        )
    return None
