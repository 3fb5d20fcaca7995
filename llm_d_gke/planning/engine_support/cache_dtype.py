"""Numeric types of the KV cache, by attention back end, compute capability and checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llm_d_gke.catalog.engine_tables import TRITON, CapabilityFacts, EngineFacts
from llm_d_gke.catalog.schema import Model
from llm_d_gke.catalog.versions import version_numbers
from llm_d_gke.planning.engine_support.attention import COMPRESSED, sees_whole_images
from llm_d_gke.planning.engine_support.deployment import Deployment, Refusal, method_names

# Back ends of latent attention, each with the oldest table whose version keeps an fp8 cache with it, none in e5m2. Read
# in supported_kv_cache_dtypes of vllm/v1/attention/backends/mla of every table's version, and of 0.18.0.
_LATENT: Mapping[str, tuple[int, ...] | None] = {
    "FLASH_ATTN_MLA": None,
    "FLASHMLA": (0, 11, 2),
    "CUTLASS_MLA": (0, 11, 2),
    "FLASHINFER_MLA": (0, 11, 2),
    "TRITON_MLA": (0, 19, 1),
}
_NATIVE = 8.9  # Triton's fp8e4nv: vllm/v1/attention/backends/mla/triton_mla.py of 0.26.0 raises an error below
_E5M2, _PER_TOKEN_HEAD = "fp8_e5m2", "_per_token_head"
# Up to 0.17.1 every fp8 cache of sparse latent attention becomes fp8_ds_mla (vllm/model_executor/models/config.py);
# later the back end is chosen by the type as it stands. 0.30 has one on Hopper that takes fp8_e4m3.
_SPARSE_AS_GIVEN, _SPARSE_E4M3_ON_HOPPER = (0, 18), (0, 30)
# A checkpoint's own type is taken since (vllm/utils/torch_utils.py, resolve_kv_cache_dtype_string).
_FROM_CHECKPOINT = (0, 17)
# Since then compressed-tensors checkpoints without scales of the cache may have an e5m2 one.
_WITHOUT_SCALES = (0, 24)
# Compressed keys become fp8_ds_mla without a stated type since; before, "auto" failed an assertion
# (vllm/models/deepseek_v4/attention.py of 0.22.0, 0.24.0, 0.27.1, 0.29.0, 0.30.0, 0.31.0 and 0.32.0).
_COMPRESSED_BY_DEFAULT = (0, 30)


def cache_refusals(deployment: Deployment, facts: EngineFacts, card_facts: CapabilityFacts) -> Iterator[Refusal]:
    """At most one reason against the type of the cache, set or taken from the checkpoint."""
    dtype, stated = cache_dtype(deployment, facts), deployment.kv_cache_dtype or ""
    if stated.endswith(_PER_TOKEN_HEAD) and any(group.kind == "mla" for group in deployment.model.attention):
        yield Refusal(
            kind="kv-cache-dtype",
            about="kvCacheDtype",
            reason=f"no attention back end of vLLM {facts.version} keeps the vectors of latent attention in {stated}:"
            " no valid attention backend is found",
            source="docs/design/attention_backends.md between vLLM 0.19.1 and 0.26.0",
        )
        return
    if dtype is None:
        generation = int(deployment.accelerator.compute_capability or 0.0)
        by_default = stated in ("", "auto") and version_numbers(deployment.version) >= _COMPRESSED_BY_DEFAULT
        compressed = deployment.model.compressed and not deployment.attention_backend and generation in COMPRESSED
        if compressed and not by_default:
            yield Refusal(
                kind="kv-cache-dtype",
                about="kvCacheDtype",
                reason=f"vLLM {facts.version} keeps compressed keys in fp8 alone: fp8_ds_mla layout only supports fp8"
                " kv-cache",
                source="vllm/models/deepseek_v4/attention.py",
            )
        return
    reason = None
    if dtype == _E5M2:
        reason = _of_checkpoint(deployment, facts) or _of_triton(deployment, facts, card_facts)
    source = "vllm/model_executor/layers/attention/attention.py"
    if reason is None and any(group.kind == "mla" for group in deployment.model.attention):
        reason = _of_latent_attention(deployment, facts, card_facts, dtype)
        source = "vllm/v1/attention/backends/mla; vllm-project/vllm issue 32732, vllm-project/recipes issue 565"
    if reason is not None:
        yield Refusal(kind="kv-cache-dtype", about="kvCacheDtype", reason=reason, source=source)


def cache_dtype(deployment: Deployment, facts: EngineFacts) -> str | None:
    """The fp8 type of the cache as vLLM names it; None where the cache is not in fp8."""
    stated = deployment.kv_cache_dtype
    if stated not in (None, "auto"):
        return stated if str(stated).startswith("fp8") else None
    checkpoint = deployment.model.quantization
    if (
        checkpoint is None
        or not checkpoint.kv_cache
        or checkpoint.method != "modelopt"
        or facts.number < _FROM_CHECKPOINT
    ):
        return None
    return "fp8_e4m3"


def keeps_e5m2(model: Model, capability: float) -> bool:
    """Whether this card keeps an e5m2 cache without fp8 units: the one fp8 type that vLLM has on Ampere.

    A comment in vllm/model_executor/layers/attention/attention.py of 0.26.0 says so; Triton's error on such cards
    (vllm-project/vllm issue 26431) lists fp8e5 among what they have. Nothing is known of Turing.
    """
    return 8.0 <= capability < _NATIVE and not any(group.kind == "mla" for group in model.attention)


def _of_checkpoint(deployment: Deployment, facts: EngineFacts) -> str | None:
    checkpoint, method = deployment.model.quantization, deployment.method
    if method is None:
        return None
    names = method_names(method)
    compressed = "compressed-tensors" in names and (
        facts.number < _WITHOUT_SCALES or (checkpoint is not None and checkpoint.kv_cache)
    )
    if not compressed and not {"fp8", "modelopt"}.intersection(names):
        return None
    return f"vLLM {facts.version} refuses an {_E5M2} cache with weights in {method}, which may bring scales for e4m3"


def _of_triton(deployment: Deployment, facts: EngineFacts, card_facts: CapabilityFacts) -> str | None:
    """Triton's back end has queries quantized, which `forward` asserts to be in e4m3: 0.19.1 to 0.32.0."""
    for group in deployment.model.attention:
        if group.kind not in ("full", "sliding", "chunked"):
            continue
        head = group.head_dim or deployment.model.head_dim
        backends = card_facts.backends("fp8-cache", deployment.effective_dtype, head) or ()
        chosen = TRITON if _takes_triton(deployment) else next(iter(backends), None)
        if (deployment.attention_backend or chosen) == TRITON:
            return (
                f"vLLM {facts.version} has layers with heads of {head} in {TRITON} on {deployment.accelerator.title},"
                f" which asserts that an fp8 cache is not in {_E5M2}"
            )
    return None


def _takes_triton(deployment: Deployment) -> bool:
    """Gemma 4 ran in Triton's back end by default (Gemma4Config of 0.19.1 to 0.22.1, not of 0.24.0).

    Of the back ends that keep an fp8 cache it is the only one that sees whole images.
    """
    forced = deployment.model.architecture.startswith("Gemma4") and version_numbers(deployment.version) < (0, 23)
    return forced or sees_whole_images(deployment.model)


def _of_latent_attention(
    deployment: Deployment, facts: EngineFacts, card_facts: CapabilityFacts, dtype: str
) -> str | None:
    model, accelerator = deployment.model, deployment.accelerator
    mla = model.mla
    capability = accelerator.compute_capability or 0.0
    if any(group.sparse_latent for group in model.attention):
        takes_e4m3 = capability >= 10.0 or facts.number >= _SPARSE_E4M3_ON_HOPPER
        if facts.number < _SPARSE_AS_GIVEN or dtype == "fp8" or (dtype == "fp8_e4m3" and takes_e4m3):
            return None
        return (
            f"the attention back ends that choose tokens by an indexer on {accelerator.title} do not take a KV cache in"
            f" {dtype} with vLLM {facts.version}: no valid attention backend is found"
        )
    head = mla.kv_lora_rank + mla.qk_rope_head_dim if mla is not None else model.head_dim
    backends = card_facts.backends("mla", deployment.effective_dtype, head)
    if deployment.attention_backend in (backends or ()):
        backends = (str(deployment.attention_backend),)
    if not backends or any(name not in _LATENT for name in backends):
        return None
    suitable = [
        name
        for name in backends
        if dtype != _E5M2
        and (since := _LATENT[name]) is not None
        and facts.number >= since
        and (name != "TRITON_MLA" or capability >= _NATIVE)
    ]
    if suitable:
        return None
    origin = "" if deployment.kv_cache_dtype is not None else ", the checkpoint's own type"
    return (
        f"no attention back end that vLLM {facts.version} has for {model.id} on {accelerator.title}"
        f" ({', '.join(backends)}) keeps a KV cache in {dtype}{origin}: no valid attention backend is found"
    )
