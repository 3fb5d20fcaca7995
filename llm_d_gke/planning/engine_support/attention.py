"""Attention kernels by head size, dtype and compute capability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llm_d_gke.catalog.engine_tables import (
    TRITON,
    AttentionUse,
    CapabilityFacts,
    EngineFacts,
    facts_of,
    shared_memory_bytes,
)
from llm_d_gke.catalog.schema import Accelerator, Attention, Model
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.planning.engine_support.deployment import About, Deployment, Refusal

# Its kernel was not compiled by the tool; nothing says whether it runs on older cards than these.
_FLASHINFER = "FLASHINFER"
_TRITON_MLA, _TRITON_MLA_SEEN = "TRITON_MLA", 8.0
# Tokens that a block of these back ends is a multiple of, since --block-size is taken as it is given: what
# get_supported_kernel_block_sizes of vllm/v1/attention/backends/mla says in 0.18.0 to 0.32.0 (vllm-project/vllm issue
# 48286), and of vllm/models/deepseek_v4 in 0.26.0 to 0.32.0. Before, vllm/platforms/cuda.py replaced what it was given.
_LATENT_BLOCKS: Mapping[str, int] = {"FLASHMLA": 64, "CUTLASS_MLA": 128, "FLASHINFER_MLA": 32}
_SPARSE_BLOCK, COMPRESSED_BLOCK, _BLOCKS_SINCE = 64, 256, (0, 18)
GPU_BLOCK, _KEEPS_NO_FP8 = 16, "FLASH_ATTN_MLA"
# The generations of card whose kernels choose tokens by an indexer, and the oldest table that has them. Read in
# vllm/v1/attention/backends/mla of every table's version: the others' back ends say is_sparse() = False.
_SPARSE = "SPARSE"
# The back end that alone keeps a cache type, and one that vLLM takes only when it is named, with what that one has
# (docs/design/attention_backends.md between 0.19.1 and 0.26.0, which lacks the second).
_BACKEND_OF_CACHE: Mapping[str, str] = {"_per_token_head": TRITON, "turboquant_": "TURBOQUANT"}
_TREE, _TREE_HAS = "TREE_ATTN", "plain"
_HOPPER, _NO_WINDOWS = 9.0, ((0, 25), (0, 30))
_SPARSE_MLA = {9: (0, 11, 2), 10: (0, 11, 2), 12: (0, 24, 0)}
COMPRESSED = (9, 10)  # generations with FlashMLA, which keeps the cache in fp8_ds_mla


def attention_refusals(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    for group, outcome in attention_outcomes(deployment, facts):
        if outcome:
            head = _head(deployment.model, group)
            yield Refusal(
                kind="attention-kernel",
                about=_setting_at_fault(deployment, outcome),
                reason=f"{deployment.model.id} has attention heads of size {head}, and in "
                f"{deployment.effective_dtype}{_cache_clause(deployment)} {outcome}",
                source=f"attention back ends of vLLM {facts.version}",
            )
            return


def _cache_clause(deployment: Deployment) -> str:
    cache = deployment.kv_cache_dtype
    return "" if cache in (None, "auto") else f" with a KV cache in {cache}"


def _setting_at_fault(deployment: Deployment, outcome: str) -> About:
    if deployment.attention_backend and outcome.endswith(f" {deployment.attention_backend}"):
        return "attentionBackend"
    return "dtype" if deployment.effective_dtype == "float32" else "id"


def attention_outcomes(deployment: Deployment, facts: EngineFacts) -> Iterator[tuple[Attention, str | None]]:
    """For each group of layers: "" runs, a clause why it does not, None where the table does not say."""
    accelerator, dtype = deployment.accelerator, deployment.effective_dtype
    card_facts = facts.for_capability(accelerator.compute_capability or 0.0)
    for group in deployment.model.attention:
        if group.kind == "compressed":
            yield group, _compressed(deployment, facts) if card_facts is not None else None
            continue
        if group.kind not in ("full", "sliding", "chunked", "mla"):
            continue
        if card_facts is None:
            yield group, None
            continue
        head = _head(deployment.model, group)
        backends = card_facts.backends(_attention_use(deployment, facts, group), dtype, head)
        if group.kind != "mla" and (only := _backend_of_cache(deployment)) is not None:
            backends = (only,)
        if deployment.attention_backend == _TREE and _attention_use(deployment, facts, group) != _TREE_HAS:
            yield group, f"vLLM {facts.version} does not run them on {accelerator.title} with the back end {_TREE}"
            continue
        if sees_whole_images(deployment.model) and backends is not None:
            whole = card_facts.backends("image-prefix", dtype, head)
            backends = tuple(name for name in backends if whole is None or name in whole)
        if group.sparse_latent and not _has_sparse_mla(accelerator, facts):
            yield group, f"vLLM {facts.version} has no attention back end that is sparse on {accelerator.title}"
        elif group.sparse_latent and (named := deployment.attention_backend) and _SPARSE not in named:
            yield group, f"vLLM {facts.version} does not choose tokens by an indexer in the back end {named}"
        elif _breaks_windows(deployment, facts, group, backends):
            yield group, f"layers with a window end vLLM {facts.version} on {accelerator.title} in {_FLASHINFER}"
        elif backends is None:
            yield group, None
        elif not backends:
            yield group, f"vLLM {facts.version} has no attention back end for them on {accelerator.title}"
        elif (
            (named := deployment.attention_backend)
            and named not in backends
            and (named in _known_backends(facts) or (_SPARSE in named and not group.sparse_latent))
        ):
            yield group, f"vLLM {facts.version} does not run them on {accelerator.title} with the back end {named}"
        elif backends[0] == _TRITON_MLA and (accelerator.compute_capability or 0.0) < _TRITON_MLA_SEEN:
            yield group, None
        elif backends[0] != TRITON:
            yield group, ""
        else:
            yield group, _triton(deployment, facts, card_facts, group, head)


def _backend_of_cache(deployment: Deployment) -> str | None:
    """The only back end that keeps a cache of this type."""
    cache = deployment.kv_cache_dtype or ""
    return next((name for part, name in _BACKEND_OF_CACHE.items() if part in cache), None)


def _compressed(deployment: Deployment, facts: EngineFacts) -> str | None:
    """DeepSeek V4 has classes of attention of its own: vllm/models/deepseek_v4/nvidia/model.py of 0.26.0 and 0.30.0."""
    accelerator = deployment.accelerator
    capability = accelerator.compute_capability or 0.0
    if deployment.attention_backend:
        return None
    if 0 < capability < _HOPPER:
        return f"vLLM {facts.version} has no attention back end for compressed keys on {accelerator.title}"
    return "" if int(capability) in COMPRESSED else None


def _breaks_windows(
    deployment: Deployment, facts: EngineFacts, group: Attention, backends: tuple[str, ...] | None
) -> bool:
    """FlashInfer's builder refuses windows on Hopper: v1/attention/backends/flashinfer.py of 0.26.0 and 0.28.0."""
    first, last = _NO_WINDOWS
    chosen = deployment.attention_backend or next(iter(backends or ()), None)
    return (
        group.kind == "sliding"
        and chosen == _FLASHINFER
        and deployment.accelerator.compute_capability == _HOPPER
        and first <= facts.number < last
    )


def _triton(
    deployment: Deployment, facts: EngineFacts, card_facts: CapabilityFacts, group: Attention, head: int
) -> str | None:
    accelerator = deployment.accelerator
    limit = shared_memory_bytes(accelerator.compute_capability or 0.0)
    needed = card_facts.kernel_bytes(deployment.effective_dtype, head, windowed=group.kind != "full")
    if needed is None:
        # Smaller heads than the smallest that was compiled need less; other sizes are padded up.
        sizes = [row.head for row in card_facts.triton_shared_memory if row.head >= head]
        needed = (
            card_facts.kernel_bytes(deployment.effective_dtype, min(sizes), windowed=group.kind != "full")
            if sizes
            else None
        )
        if needed is not None and limit is not None and needed > limit:
            needed = None
    if needed is None or limit is None:
        # Where no kernel was compiled for 16 bits, the card has more shared memory than the largest takes.
        return "" if deployment.effective_dtype != "float32" and (limit or 0) > 160_000 else None
    if needed <= limit:
        return ""
    return (
        f"the attention kernel that vLLM {facts.version} takes on {accelerator.title} needs {needed} bytes of shared "
        f"memory, where compute capability {accelerator.compute_capability} has {limit}"
    )


def _known_backends(facts: EngineFacts) -> set[str]:
    """Back ends that the tables say something about."""
    return {name for card_facts in facts.capabilities.values() for row in card_facts.attention for name in row.backends}


def _has_sparse_mla(accelerator: Accelerator, facts: EngineFacts) -> bool:
    since = _SPARSE_MLA.get(int(accelerator.compute_capability or 0.0))
    return since is not None and facts.number >= since


def _head(model: Model, group: Attention) -> int:
    if group.kind == "mla" and model.mla is not None:
        return model.mla.kv_lora_rank + model.mla.qk_rope_head_dim
    return group.head_dim or model.head_dim


def sees_whole_images(model: Model) -> bool:
    """Whether tokens of an image attend to later ones too, which few back ends compute.

    is_mm_prefix_lm of vllm/config/model.py in 0.17.1 and 0.19.1, and of model_arch_config_convertor.py in
    vllm/transformers_utils of 0.26.0 to 0.32.0. For Gemma 4, vLLM chooses the back end (pull request 42175).
    """
    return model.architecture == "Gemma3ForConditionalGeneration"


def _attention_use(deployment: Deployment, facts: EngineFacts, group: Attention) -> AttentionUse:
    if group.kind == "mla":
        return "mla"
    if deployment.model.architecture in facts.sink_architectures:
        return "sink"
    if (deployment.kv_cache_dtype or "").startswith("fp8"):
        return "fp8-cache"
    return "plain"


def split_block_sizes(deployment: Deployment, size: int) -> tuple[str, tuple[int, ...]]:
    """The chosen attention back end and its block sizes, where `size` exceeds all. Else, or if unknown, no sizes."""
    for facts in facts_of(deployment.version):
        card_facts = facts.for_capability(deployment.accelerator.compute_capability or 0.0)
        if card_facts is None:
            return "", ()
        for group in deployment.model.attention:
            if group.kind not in ("full", "sliding", "chunked"):
                continue
            head = _head(deployment.model, group)
            backends = card_facts.backends(_attention_use(deployment, facts, group), deployment.effective_dtype, head)
            sizes = card_facts.block_sizes.get(backends[0], ()) if backends else ()
            numbers = tuple(number for number in sizes if isinstance(number, int))
            if backends and numbers and len(numbers) == len(sizes) and size > max(numbers):
                return backends[0], numbers
    return "", ()


def own_block_size(model: Model, accelerator: Accelerator, version: str, kv_cache_dtype: str | None) -> int:
    """Tokens of a block as vLLM chooses it on a GPU where --block-size is absent."""
    if version_numbers(version) < _BLOCKS_SINCE:
        return GPU_BLOCK
    if model.compressed:
        return COMPRESSED_BLOCK
    if any(group.sparse_latent for group in model.attention):
        return _SPARSE_BLOCK
    if model.mla is None:
        return GPU_BLOCK
    head = model.mla.kv_lora_rank + model.mla.qk_rope_head_dim
    fp8 = (kv_cache_dtype or "").startswith("fp8")
    for facts in facts_of(version):
        card_facts = facts.for_capability(accelerator.compute_capability or 0.0)
        backends = card_facts.backends("mla", "bfloat16", head) if card_facts is not None else None
        chosen = next((name for name in backends or () if not (fp8 and name == _KEEPS_NO_FP8)), "")
        return _LATENT_BLOCKS.get(chosen, GPU_BLOCK)
    return GPU_BLOCK


def keeps_fp8_in_flashinfer(model: Model, capability: float, version: str) -> bool:
    """Whether a table that speaks for the version has FlashInfer for an fp8 cache of every layer on this card."""
    heads = {_head(model, group) for group in model.attention if group.kind in ("full", "sliding", "chunked")}
    dtype = "bfloat16" if capability >= 8.0 else "float16"
    cards = [card for facts in facts_of(version) if (card := facts.for_capability(capability)) is not None]
    return bool(heads) and any(
        all(_FLASHINFER in (card.backends("fp8-cache", dtype, head) or ()) for head in heads) for card in cards
    )


def _mixes_heads(model: Model) -> bool:
    """Whether layers' heads differ in size: vLLM then gives all one back end, FlashAttention 4 or Triton's.

    Gemma4Config in vllm/model_executor/models/config.py of 0.26.0 to 0.32.0.
    """
    attending = ("full", "sliding", "chunked")
    return len({_head(model, group) for group in model.attention if group.kind in attending}) > 1


def takes_flashinfer(
    model: Model, capability: float | None, version: str, dtype: str | None, kv_cache_dtype: str | None
) -> bool:
    """Whether FlashInfer has the attention kernels of most layers. A card without a row counts as its generation."""
    group = max(
        (group for group in model.attention if group.kind in ("full", "sliding", "chunked")),
        key=lambda group: group.layers,
        default=None,
    )
    if group is None or capability is None or _mixes_heads(model):
        return False
    use: AttentionUse = "fp8-cache" if (kv_cache_dtype or "").startswith("fp8") else "plain"
    for facts in facts_of(version):
        use = "sink" if model.architecture in facts.sink_architectures else use
        nearest = min(
            (name for name in facts.capabilities if int(float(name)) == int(capability)),
            key=lambda name: abs(float(name) - capability),
            default=None,
        )
        if nearest is None:
            return False
        normal = {"half": "float16", None: "bfloat16", "auto": "bfloat16"}.get(dtype, dtype or "")
        backends = facts.capabilities[nearest].backends(use, normal, _head(model, group))
        if not backends or backends[0] != _FLASHINFER:
            return False
    return bool(facts_of(version))
