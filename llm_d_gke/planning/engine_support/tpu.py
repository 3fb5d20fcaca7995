"""Features of the JAX and PyTorch implementations of models on TPU, and what each refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.engine_tables import EngineFacts, TpuFacts, facts_of, is_later, may_have
from llm_d_gke.catalog.schema import Model
from llm_d_gke.planning.engine_support.deployment import (
    CHECKPOINT_NAMES,
    About,
    Deployment,
    Refusal,
    describe_format,
    method_names,
)

_EXPANDED = "VLLM_MLA_DISABLE"
_SMALL_HEAD = 64  # values of a head that the kernels pack twice as densely
# What to_jax_dtype of tpu_inference/utils.py knows, and jnp.dtype after it: 0.19.0 and 0.26.0.
_CACHE_TYPES = ("auto", "bfloat16", "float16", "fp8", "fp8_e4m3", "fp8_e5m2")


def implementation_of(deployment: Deployment) -> Literal["jax", "torch"] | None:
    """Which implementation of the model a TPU runs; None where no table says. Adapters take PyTorch's by themselves."""
    tables = [facts.tpu for facts in facts_of(deployment.version) if facts.tpu is not None]
    if not tables:
        return None
    chosen = deployment.environment.get(tables[0].implementation_variable, "").lower()
    if chosen == "vllm" or (not chosen and needs_torch(deployment)):
        return "torch"
    if chosen == "flax_nnx":
        return "jax" if deployment.model.architecture in tables[0].jax_architectures else "torch"
    return "jax" if tables[0].uses_jax(deployment.model.architecture) else "torch"


def shares_heads(model: Model, version: str, devices: int) -> bool:
    """Whether the model's attention heads can be divided among devices of TPUs, where few models replicate heads."""
    if model.attention_heads % devices:
        return False
    if model.mla is not None or model.one_vector or model.kv_heads % devices == 0:
        return True
    replicates = devices in (model.tpu_tested or ())
    if model.kv_heads > 1:
        replicates |= load_engine().has(version, load_engine().features.tpu_replicated_heads)
    return replicates and devices % model.kv_heads == 0


def needs_torch(deployment: Deployment) -> bool:
    """Whether a deployment on TPU needs a variable for PyTorch's implementation, because JAX's has no adapters."""
    if deployment.accelerator.kind != "tpu" or not deployment.adapters:
        return False
    tables = [facts.tpu for facts in facts_of(deployment.version) if facts.tpu is not None]
    return bool(tables) and any(not tpu.jax_lora and tpu.uses_jax(deployment.model.architecture) for tpu in tables)


def needs_attention_ranks(deployment: Deployment) -> bool:
    """Whether the TPU back end ends at once unless each device computes the attention of other requests.

    It does so for latent attention, which has one vector for all heads. Expanded to plain attention by the variable
    VLLM_MLA_DISABLE it needs nothing.
    """
    if deployment.accelerator.kind != "tpu" or not deployment.model.one_vector:
        return False
    engine = load_engine()
    needed = engine.has(deployment.version, engine.features.tpu_latent_attention)
    return needed and not expands_latent_attention(deployment.model, deployment.environment)


def attention_ranks(deployment: Deployment) -> int:
    """Groups of a TPU engine's devices that attend for other requests each.

    from_vllm_config of tpu_inference/layers/common/sharding.py (0.26.0) makes as many as leave no key-value head on two
    devices. Two cached heads of 16 bits, or four of eight, are packed into one word; twice as many of 64 values.
    """
    if deployment.accelerator.kind != "tpu":
        return 1
    if deployment.sharding.get("enable_dp_attention", "").lower() not in ("true", "1"):
        return deployment.tensor_parallel if needs_attention_ranks(deployment) else 1
    size = deployment.sharding.get("attn_dp_size", "")
    if size.isdecimal():
        return int(size)
    model = deployment.model
    packed = 4 if (deployment.kv_cache_dtype or "").startswith("fp8") else 2
    if model.head_dim == _SMALL_HEAD:
        packed *= 2
    heads = 1 if model.one_vector else model.kv_heads
    return max(int(deployment.tensor_parallel // max(1.0, heads * 2 / packed)), 1)


def expands_latent_attention(model: Model, environment: Mapping[str, str]) -> bool:
    """Whether vLLM computes and caches latent attention as keys and values of all heads."""
    return model.mla is not None and environment.get(_EXPANDED, "0") not in ("", "0")


def tpu_refusals(deployment: Deployment, facts: EngineFacts, tpu: TpuFacts) -> Iterator[Refusal]:
    source = f"sources of {tpu.package}" + ("" if tpu.exact else f", the nearest published to vLLM {facts.version}")
    if any(group.kind in load_engine().tpu_missing_layers for group in deployment.model.attention):
        yield Refusal(
            kind="architecture",
            about="id",
            reason=f"the TPU back end of vLLM {facts.version} has no Mamba layers, which are part of"
            f" {deployment.model.architecture}: the engine does not start",
            source=f"{source}; vllm-project/tpu-inference issue 2645",
        )
        return
    yield from _adapter_refusals(deployment, tpu, source)
    refusal = _quantization_refusal(deployment, facts, tpu, source)
    if refusal is not None:
        yield refusal
    cache = deployment.kv_cache_dtype
    if cache is not None and cache not in _CACHE_TYPES:
        yield Refusal(
            kind="kv-cache-dtype",
            about="kvCacheDtype",
            reason=f"the TPU back end of vLLM {facts.version} has no such type of a KV cache: data type '{cache}' not"
            " understood",
            source="to_jax_dtype of tpu_inference/utils.py",
        )


def _adapter_refusals(deployment: Deployment, tpu: TpuFacts, source: str) -> Iterator[Refusal]:
    if deployment.adapters and implementation_of(deployment) == "jax" and not tpu.jax_lora:
        yield Refusal(
            kind="tpu-adapters",
            about="env",
            reason=f"the JAX implementation of {deployment.model.architecture} has no LoRA adapters: the engine ends "
            "while it compiles",
            source=source,
        )
    if deployment.adapters and attention_ranks(deployment) > 1:
        yield Refusal(
            kind="tpu-adapters",
            about="adapters",
            reason="attention runs data-parallel here, and the TPU back end has no LoRA adapters with it: LoRA is not "
            "supported with data parallelism",
            source=source,
        )


def _quantization_refusal(deployment: Deployment, facts: EngineFacts, tpu: TpuFacts, source: str) -> Refusal | None:
    method, checkpoint = deployment.method, deployment.model.quantization
    implementation = implementation_of(deployment)
    if method is None:
        return None
    about: About = "quantization" if deployment.quantization else "id"
    names = method_names(method)
    if checkpoint is not None and checkpoint.method == "modelopt" and checkpoint.bits == 8:
        # vLLM tells them apart by quant_algo: the engine's name for weights in fp8 is modelopt itself.
        names = ("modelopt", "modelopt_mxfp8")
    if deployment.quantization is not None and deployment.quantization not in CHECKPOINT_NAMES:
        # An engine's own name for a method is compared as it is written.
        names = (deployment.quantization,)
    if not _has_any(facts, names):
        return Refusal(
            kind="tpu-quantization",
            about=about,
            reason=f"vLLM {facts.version} on TPU has no quantization method {method}",
            source=source,
            certain=not may_have(deployment.version, lambda other: _has_any(other, names)),
        )
    supported = tpu.jax_quantization if implementation == "jax" else tpu.torch_quantization
    schemes = tpu.jax_compressed_tensors if implementation == "jax" else tpu.torch_compressed_tensors
    scheme = _tpu_scheme(checkpoint.bits) if method == "compressed-tensors" and checkpoint is not None else None
    if method == "fp8" and checkpoint is None and deployment.model.experts is not None and implementation == "torch":
        return Refusal(
            kind="tpu-quantization",
            about=about,
            reason="the TPU back end does not quantize experts to fp8 while it loads them: FP8OnelineMoEMethod is not"
            " supported",
            source=f"layers/vllm/quantization/fp8.py of {tpu.package}",
        )
    if method == "fp8" and checkpoint is None and implementation == "jax" and method in supported:
        # Its Fp8Config looks for quant_method in the checkpoint's own config.json (0.18.0 to 0.30.0).
        return Refusal(
            kind="tpu-quantization",
            about=about,
            reason=f"on TPU vLLM {facts.version} runs {deployment.model.architecture} by its JAX implementation, which"
            " takes fp8 from checkpoints and makes none: None of the keys ['quant_method'] found in config",
            source=f"layers/jax/quantization/fp8.py of {tpu.package}",
        )
    if any(name in supported for name in names) and (scheme is None or any(name in schemes for name in scheme)):
        return None
    called = "JAX" if implementation == "jax" else "PyTorch"
    return Refusal(
        kind="tpu-quantization",
        about=about,
        reason=f"on TPU vLLM {facts.version} runs {deployment.model.architecture} by its {called} implementation, "
        f"which cannot load {describe_format(deployment)}",
        source=source,
        certain=not is_later(deployment.version),
    )


def _has_any(facts: EngineFacts, names: Sequence[str]) -> bool:
    return facts.tpu is not None and any(name in facts.tpu.platform_quantization for name in names)


def _tpu_scheme(bits: float) -> tuple[str, ...]:
    """Formats of compressed-tensors for weights of this many bits, under the TPU back end's names."""
    return ("fp8_w8a8", "dynamic_token_w8a8") if bits == 8 else ("w4a16",)
