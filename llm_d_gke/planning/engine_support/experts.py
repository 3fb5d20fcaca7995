"""Kernels of mixture-of-experts layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llm_d_gke.catalog.engine_tables import CapabilityFacts, EngineFacts
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.planning.engine_support.deployment import Deployment, Refusal

# Kernels of 16-bit experts that need the experts' width on a GPU to be a multiple of this, and do not come up else
# (vllm-project/vllm pull request 51492, vLLM 0.26.0 on B200).
_ALIGNED = ("FLASHINFER_TRTLLM", "FLASHINFER_CUTLASS")
_ALIGNMENT = 128
# On compute capability 12.x widths of 192 and 704 ran: Qwen3 235B over eight RTX PRO 6000 and Gemma 4 26B on one, vLLM
# 0.25.1 (github.com/KempnerInstitute/hpc-agentic-recipes, 2026).
_ALIGNMENT_12 = 64
_NVFP4_BITS = 4.5  # with their scales, of a mixed checkpoint's experts
# Gemma 4's experts have GELU: TensorRT-LLM's kernel takes none, CUTLASS's does since 0.24, and Triton's comes next
# (_supports_activation of both in 0.23.0, 0.24.0, 0.26.0 and 0.30.0).
_WITH_GELU, _GELU_SINCE = "Gemma4ForConditionalGeneration", (0, 24)


@dataclass(frozen=True)
class _Tile:
    """What has to divide an expert's width on a GPU until vLLM pads it."""

    columns: int
    kernel: str  # a clause that ends with a verb
    unpadded_until: tuple[int, ...]  # where it is known to end
    padded_since: tuple[int, ...]
    source: str


# Marlin computes fp8 on cards without fp8 units, and NVFP4 on those without FP4 units. Read in the published 0.17.1 to
# 0.26.0 (quantization/utils/marlin_utils_fp8.py: 0.24.0 pads no experts, 0.25.1 does; marlin_utils_fp4.py: 0.23.0 and
# 0.24.0). Scales of blocks that are computed at the start: 0.19.1 does not pad, 0.26.0 does.
_NO_FP8_UNITS, _NO_FP4_UNITS = 8.9, 10.0
_MARLIN_FP8 = _Tile(
    64, "computes fp8 experts with Marlin's kernels", (0, 25), (0, 25), "issue 42390 and pull request 36807"
)
_MARLIN_FP4 = _Tile(
    64, "computes NVFP4 experts with Marlin's kernels", (0, 24), (0, 24), "pull requests 37296 and 45295"
)
_ONLINE_BLOCKS = "fp8_per_block"
_ONLINE = _Tile(
    128, f"--quantization {_ONLINE_BLOCKS} gives each block a scale", (0, 24), (0, 26), "pull request 44763"
)


def experts_refusals(deployment: Deployment, facts: EngineFacts, card_facts: CapabilityFacts) -> Iterator[Refusal]:
    experts, dtype = deployment.model.experts, deployment.effective_dtype
    yield from _nvfp4_refusals(deployment, facts)
    yield from _unpadded_refusals(deployment)
    if experts is None or deployment.method is not None or dtype not in ("bfloat16", "float16"):
        return
    if not card_facts.experts or deployment.expert_backend not in (None, "auto") or deployment.adapters:
        return
    first = next((name for name in card_facts.experts if _takes(name, deployment)), "")
    if first not in _ALIGNED or (first == "FLASHINFER_TRTLLM" and facts.experts_padded):
        return
    ranks = 1 if deployment.expert_parallel else deployment.tensor_parallel
    width = experts.intermediate // ranks
    alignment = _ALIGNMENT_12 if 12.0 <= (deployment.accelerator.compute_capability or 0.0) < 13.0 else _ALIGNMENT
    if width % alignment == 0:
        return
    shared = f"{experts.intermediate} / {ranks} = {width}" if ranks > 1 else str(width)
    yield Refusal(
        kind="experts-kernel",
        about="tensorParallel" if ranks > 1 else "id",
        reason=f"vLLM {facts.version} takes FlashInfer's kernels for 16-bit experts on {deployment.accelerator.title}; "
        f"they need {alignment} to divide an expert's width on a GPU, and here it is {shared}: the engine does not "
        "come up",
        source="vllm-project/vllm pull request 51492",
        # Seen on compute capability 10.0 with 0.26; the same kernels are the first choice on others, and later.
        certain=10.0 <= (deployment.accelerator.compute_capability or 0.0) < 11.0 and not facts.experts_padded,
    )


def _takes(kernel: str, deployment: Deployment) -> bool:
    """Whether a kernel is chosen for 16-bit experts of this model before those behind it."""
    if deployment.model.architecture == _WITH_GELU and kernel in _ALIGNED:
        since = version_numbers(deployment.version) >= _GELU_SINCE
        return kernel == "FLASHINFER_CUTLASS" and since and deployment.data_parallel == 1
    return not (deployment.data_parallel > 1 and kernel == "FLASHINFER_CUTLASS")


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
    """Experts whose pieces do not fill the tiles of the kernel. By the version, which tables do not say."""
    experts, tile = deployment.model.experts, _tile(deployment)
    version = version_numbers(deployment.version)
    if experts is None or tile is None or version >= tile.padded_since:
        return
    ranks = 1 if deployment.expert_parallel else deployment.tensor_parallel
    width = experts.intermediate // ranks
    if width % tile.columns == 0:
        return
    kernel = tile.kernel if tile is _ONLINE else f"{deployment.accelerator.title} {tile.kernel}"
    shared = f"{experts.intermediate} / {ranks} = {width}" if ranks > 1 else str(width)
    yield Refusal(
        kind="experts-kernel",
        about="tensorParallel" if ranks > 1 else "id",
        reason=f"{kernel}, and {tile.columns} does not divide an expert's width on a GPU, {shared}: "
        f"vLLM {deployment.version} ends while it loads the model",
        source=f"vllm-project/vllm {tile.source}",
        certain=version < tile.unpadded_until,
    )


def _tile(deployment: Deployment) -> _Tile | None:
    """The tile of the kernel that computes a model's quantized experts on this card, where its width matters."""
    capability = deployment.accelerator.compute_capability or 0.0
    quantization = deployment.model.quantization
    if deployment.method == _ONLINE_BLOCKS:
        return _ONLINE
    if quantization is not None and (quantization.is_nvfp4 or quantization.parts.get("experts") == _NVFP4_BITS):
        return _MARLIN_FP4 if capability < _NO_FP4_UNITS else None
    eight_bits = deployment.method == "fp8" or (quantization is not None and quantization.method == "modelopt")
    return _MARLIN_FP8 if eight_bits and capability < _NO_FP8_UNITS else None
