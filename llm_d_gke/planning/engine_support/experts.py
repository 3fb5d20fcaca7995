"""Kernels of mixture-of-experts layers."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.catalog.engine_tables import (
    CapabilityFacts,
    EngineFacts,
)
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.planning.engine_support.deployment import Deployment, Refusal

# Kernels of 16-bit experts that need the experts' width on a GPU to be a multiple of this, and do not come up else
# (vllm-project/vllm pull request 51492, vLLM 0.26.0 on B200).
_ALIGNED = ("FLASHINFER_TRTLLM", "FLASHINFER_CUTLASS")
_ALIGNMENT = 128


# Before vLLM pads them, pieces of experts have to fill the kernels' tiles: Marlin's for fp8 weights on cards without
# fp8 units (vllm-project/vllm issue 42390 of 0.21), and blocks of scales that are computed at the start (pull request
# 44763). 0.19.1 pads neither and 0.26.0 both.
_NO_FP8_UNITS, _MARLIN_TILE = 8.9, 64
_ONLINE_BLOCKS, _ONLINE_BLOCK = "fp8_per_block", 128
_UNPADDED_UNTIL = {_MARLIN_TILE: (0, 22), _ONLINE_BLOCK: (0, 24)}
_PADDED_SINCE = (0, 26)


def experts_refusals(deployment: Deployment, facts: EngineFacts, card_facts: CapabilityFacts) -> Iterator[Refusal]:
    experts, dtype = deployment.model.experts, deployment.effective_dtype
    yield from _nvfp4_refusals(deployment, facts)
    yield from _unpadded_refusals(deployment)
    if experts is None or deployment.method is not None or dtype not in ("bfloat16", "float16"):
        return
    if not card_facts.experts or deployment.expert_backend not in (None, "auto") or deployment.adapters:
        return
    kernels = [
        name for name in card_facts.experts if not (deployment.data_parallel > 1 and name == "FLASHINFER_CUTLASS")
    ]
    first = kernels[0] if kernels else ""
    if first not in _ALIGNED or (first == "FLASHINFER_TRTLLM" and facts.experts_padded):
        return
    ranks = 1 if deployment.expert_parallel else deployment.tensor_parallel
    width = experts.intermediate // ranks
    if width % _ALIGNMENT == 0:
        return
    shared = f"{experts.intermediate} / {ranks} = {width}" if ranks > 1 else str(width)
    yield Refusal(
        kind="experts-kernel",
        about="tensorParallel" if ranks > 1 else "id",
        reason=f"vLLM {facts.version} takes FlashInfer's kernels for 16-bit experts on {deployment.accelerator.title}; "
        f"they need {_ALIGNMENT} to divide an expert's width on a GPU, and here it is {shared}: the engine does not "
        "come up",
        source="vllm-project/vllm pull request 51492",
        # Seen on compute capability 10.0; the same kernels are the first choice on others.
        certain=10.0 <= (deployment.accelerator.compute_capability or 0.0) < 11.0,
    )


def _nvfp4_refusals(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    """Gated NVFP4 experts whose gate and up rows do not fill tiles of scales: CUTLASS's kernels do not pad them."""
    model = deployment.model
    experts, quantization = model.experts, model.quantization
    if experts is None or quantization is None or not quantization.is_nvfp4 or not model.gated_mlp:
        return
    if not 12.0 <= (deployment.accelerator.compute_capability or 0.0) < 13.0:
        return
    if deployment.expert_backend not in (None, "auto"):
        return
    ranks = 1 if deployment.expert_parallel else deployment.tensor_parallel
    rows = 2 * experts.intermediate // ranks
    if rows % _ALIGNMENT == 0:
        return
    yield Refusal(
        kind="experts-kernel",
        about="tensorParallel" if ranks > 1 else "id",
        reason=f"on {deployment.accelerator.title} vLLM {facts.version} takes CUTLASS's kernels for NVFP4 experts, "
        f"which need {_ALIGNMENT} to divide the rows of gate and up on a GPU, and here they are {rows}",
        source="vLLM 0.13.0 (quantization/modelopt.py) and 0.26.0 (quantization/utils/flashinfer_fp4_moe.py)",
        # Weights in NVFP4 with activations in 16 bits go to other kernels, and no log of such a start was seen.
        certain=False,
    )


def _unpadded_refusals(deployment: Deployment) -> Iterator[Refusal]:
    """Experts in fp8 whose pieces do not fill the tiles of the kernel. By the version, which tables do not say."""
    experts, method = deployment.model.experts, deployment.method
    if experts is None or method is None:
        return
    capability = deployment.accelerator.compute_capability or 0.0
    version = version_numbers(deployment.version)
    if method == _ONLINE_BLOCKS:
        tile, kernel = _ONLINE_BLOCK, f"--quantization {_ONLINE_BLOCKS} gives each block a scale"
    elif method == "fp8" and capability < _NO_FP8_UNITS:
        tile, kernel = _MARLIN_TILE, f"{deployment.accelerator.title} computes fp8 experts with Marlin's kernels"
    else:
        return
    ranks = 1 if deployment.expert_parallel else deployment.tensor_parallel
    width = experts.intermediate // ranks
    if width % tile == 0 or version >= _PADDED_SINCE:
        return
    shared = f"{experts.intermediate} / {ranks} = {width}" if ranks > 1 else str(width)
    yield Refusal(
        kind="experts-kernel",
        about="tensorParallel" if ranks > 1 else "id",
        reason=f"{kernel}, and {tile} does not divide an expert's width on a GPU, {shared}: vLLM {deployment.version}"
        " ends while it loads the model",
        source="vllm-project/vllm issue 42390" if tile == _MARLIN_TILE else "vllm-project/vllm pull request 44763",
        certain=version < _UNPADDED_UNTIL[tile],
    )
