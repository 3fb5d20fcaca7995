"""Questions to an engine: one set about itself, and one for each compute capability of the catalog's accelerators."""

from __future__ import annotations

from typing import Any

from llm_d_gke.catalog import Catalog
from llm_d_gke.catalog.schema import Accelerator

# 576: the compressed vector of DeepSeek's latent attention with its rotary part.
HEADS = (32, 64, 72, 80, 96, 112, 120, 128, 160, 192, 256, 512)
USES: tuple[dict[str, Any], ...] = (
    {"name": "plain", "heads": HEADS},
    {"name": "sink", "heads": (64, 128), "sink": True},
    {"name": "image-prefix", "heads": (128, 256, 512), "image_prefix": True},
    {"name": "mla", "heads": (576,), "mla": True},
    {"name": "fp8-cache", "heads": (64, 128, 256, 512), "kv_cache_dtype": "fp8"},
)
_MODEL_TYPES = ("llama", "gemma2", "gemma3", "gemma3_text", "glm4", "plamo2")
# Window of a sliding layer: the kernel with one takes more shared memory, whatever the window's size.
_WINDOW = 1024
_BACKENDS = ("FLASH_ATTN", "FLASHINFER", "TRITON_ATTN")


def tasks(catalog: Catalog) -> list[dict[str, Any]]:
    """One for each process: a card and its questions."""
    gpus = [accelerator for accelerator in catalog.accelerators.values() if accelerator.kind == "gpu"]
    capabilities = sorted({accelerator.compute_capability or 0.0 for accelerator in gpus})
    return [_task(capability, gpus, first=capability == capabilities[0]) for capability in capabilities]


def _task(capability: float, gpus: list[Accelerator], *, first: bool) -> dict[str, Any]:
    numbers = capability_numbers(capability)
    cards = [
        {"name": gpu.name, "title": reported(gpu), "gib": gpu.usable_gib or gpu.nominal_gib}
        for gpu in gpus
        if gpu.compute_capability == capability
    ]
    bf16 = capability >= 8.0
    questions: dict[str, Any] = {
        "dtypes": {},
        "batches": {"cards": cards},
        "attention": {"dtypes": ["bfloat16", "float16", "float32"], "uses": list(USES)},
        "block_sizes": {"backends": _BACKENDS},
        "experts": {},
        "triton_shared_memory": {"cases": _kernels("bfloat16" if bf16 else "float16", capability)},
    }
    if first:
        questions |= {
            "float16_refused": {},
            "automatic_dtype": {"model_types": _MODEL_TYPES},
            "architectures": {},
            "former_architectures": {},
            "sink_architectures": {},
            "recurrent_architectures": {},
            "lacking_interfaces": {},
            "eagle3_model_types": {},
            "options": {},
            "parsers": {},
            "speculative_methods": {},
            "kv_offload_hybrid": {},
            "quantization": {},
            "compressed_tensors": {},
            "longrope_default": {},
            "experts_padded": {},
            "configuration_classes": {},
        }
    return {"card": {"capability": numbers, **cards[0], "name": f"{capability:.1f}"}, "questions": questions}


def _kernels(half: str, capability: float) -> list[dict[str, Any]]:
    """Kernels worth compiling: on cards with 160 KiB of shared memory and more, only large heads in 32 bits are."""
    large = capability in (8.0, 9.0) or 10.0 <= capability < 12.0
    pairs = [("float32", head) for head in ((256, 512) if large else (128, 256, 512))]
    pairs += [] if large else [(half, head) for head in (128, 256, 512)]
    return [
        {"dtype": dtype, "head": head, "queries_per_key": 8, "window": window}
        for dtype, head in pairs
        for window in (None, _WINDOW)
    ]


def capability_numbers(capability: float) -> list[int]:
    major, _, minor = f"{capability:.1f}".partition(".")
    return [int(major), int(minor)]


def reported(accelerator: Accelerator) -> str:
    """The name in CUDA's form, as far as vLLM parses it: it searches for "a100"."""
    return f"NVIDIA {accelerator.title}"
