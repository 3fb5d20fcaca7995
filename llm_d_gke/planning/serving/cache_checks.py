"""KV caches in fp8 on cards without units for it, which FlashInfer reads on Ampere and Triton's kernels do not."""

from __future__ import annotations

from llm_d_gke.planning.engine_support.attention import keeps_fp8_in_flashinfer, takes_flashinfer
from llm_d_gke.planning.engine_support.cache_dtype import keeps_e5m2
from llm_d_gke.planning.served_model import ServedModel

# Keeps an fp8 cache without fp8 units: measured on A100 (vllm-project/vllm pull request 24577, which 0.11.0 has).
_FLASHINFER = "FLASHINFER"
_OF_FLASHINFER = ("fp8", "fp8_e4m3")
_AMPERE = 8.0  # compute capability


def check_cache_dtype(served: ServedModel) -> None:
    """A finding where no source says that the engine keeps an fp8 cache on this card."""
    if is_cache_known(served):
        return
    model, capability = served.model, served.accelerator.compute_capability or 0.0
    flashinfer = model is not None and keeps_fp8_in_flashinfer(model, capability, served.version)
    if flashinfer and served.attention_backend is not None:
        other = "remove the attention back end, or kvCacheDtype,"
    elif flashinfer and model and keeps_e5m2(model, capability) and model.quantization is None:
        other = "use kvCacheDtype: fp8_e5m2, remove it,"
    else:
        other = "remove kvCacheDtype,"
    served.error("LLMD-KV-CACHE-FP8", "kvCacheDtype", value=served.kv_cache_dtype, other=other)


def is_cache_known(served: ServedModel) -> bool:
    """Whether the KV cache is in no fp8, or is known to be kept in its type on this accelerator."""
    model = served.model
    accelerator, dtype = served.accelerator, served.kv_cache_dtype or ""
    if not dtype.startswith("fp8") or accelerator.kind != "gpu" or accelerator.fp8:
        return True
    if model is None:
        return False
    capability = accelerator.compute_capability or 0.0
    if dtype == "fp8_e5m2" and keeps_e5m2(model, capability):
        return True
    chosen = served.attention_backend == _FLASHINFER or _is_led_to_flashinfer(served, dtype)
    return chosen and keeps_fp8_in_flashinfer(model, capability, served.version)


def _is_led_to_flashinfer(served: ServedModel, kv_cache_dtype: str) -> bool:
    """Whether vLLM takes FlashInfer by itself, which reads fp8 without fp8 units: a start that was seen on 8.6."""
    model, capability = served.model, served.accelerator.compute_capability or 0.0
    if model is None or served.attention_backend is not None or capability < _AMPERE:
        return False
    dtype = served.deployment(model).effective_dtype
    return kv_cache_dtype in _OF_FLASHINFER and takes_flashinfer(
        model, capability, served.version, dtype, kv_cache_dtype
    )
