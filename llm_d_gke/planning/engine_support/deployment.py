"""A model as one engine version would run it, and why that engine refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from llm_d_gke.catalog.engine_tables import EngineFacts, facts_of
from llm_d_gke.catalog.schema import Accelerator, Model

Kind = Literal[
    "architecture",
    "dtype",
    "float16",
    "attention-kernel",
    "experts-kernel",
    "quantization-unknown",
    "quantization-checkpoint",
    "quantization-capability",
    "quantization-dtype",
    "tpu-quantization",
    "tpu-adapters",
    "kv-cache-dtype",
    "adapters-experts",
    "model-feature",
]
# The setting, or the model's id, that a refusal is about.
About = Literal[
    "id",
    "dtype",
    "tensorParallel",
    "quantization",
    "env",
    "attentionBackend",
    "kvCacheDtype",
    "expertParallel",
    "adapters",
    "speculativeDecoding",
    "pipelineParallel",
]

_NORMAL = {"half": "float16", "float": "float32"}
# Names under which versions know the same checkpoints.
_ALSO: Mapping[str, tuple[str, ...]] = {
    "awq": ("awq", "awq_marlin", "auto_awq"),
    "gptq": ("gptq", "gptq_marlin", "auto_gptq"),
    "mxfp4": ("mxfp4", "gpt_oss_mxfp4"),
    "modelopt": ("modelopt", "modelopt_fp4", "modelopt_mixed", "modelopt_mxfp8"),
    # Checkpoints say auto-round, which INCConfig (quantization/inc) takes since 0.12.
    "inc": ("inc", "auto-round"),
}
# What `quant_method` of a checkpoint says: each version has a name of its own for some.
CHECKPOINT_NAMES = (*_ALSO, "auto-round", "compressed-tensors", "fp8")


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One model as one engine would run it. `None` is vLLM's own choice."""

    model: Model
    accelerator: Accelerator
    version: str
    dtype: str | None = None
    quantization: str | None = None
    deprecated_quantization: bool = False  # --allow-deprecated-quantization
    kv_cache_dtype: str | None = None
    attention_backend: str | None = None  # in capitals, as vLLM reads it
    tensor_parallel: int = 1
    data_parallel: int = 1
    expert_parallel: bool = False
    all_to_all: str | None = None
    expert_backend: str | None = None
    adapters: bool = False
    pipeline_parallel: int = 1
    speculative_method: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    sharding: Mapping[str, str] = field(default_factory=dict)  # TPU: sharding_strategy of --additional-config
    # Files beside an own config.json, or in a bucket, may say how the weights are quantized.
    all_files_known: bool = True
    # False: of the model only class and quantization are known, by a config.json whose memory is not computed.
    sized: bool = True

    @property
    def effective_dtype(self) -> str:
        """The dtype of activations; 16 bits are bfloat16 where the accelerator has it."""
        if self.dtype not in (None, "auto"):
            return _NORMAL.get(str(self.dtype), str(self.dtype))
        return default_dtype(self.model, self.accelerator, self.version) or "bfloat16"

    @property
    def method(self) -> str | None:
        """How the weights are quantized: as set, otherwise as the checkpoint states.

        A checkpoint of ModelOpt overrides what is set (quantization/modelopt.py, override_quantization_method).
        """
        checkpoint = self.model.quantization
        stated = checkpoint.method if checkpoint is not None else None
        return stated if stated == "modelopt" else self.quantization or stated


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why an engine does not run a deployment. `reason` is a clause without a full stop; `certain`: not only likely."""

    kind: Kind
    about: About
    reason: str
    source: str
    certain: bool = True


def default_dtype(model: Model, accelerator: Accelerator, version: str) -> str | None:
    """vLLM's default dtype on an accelerator without bfloat16. None on other accelerators.

    float16, or float32 for model types whose code refuses float16 (vllm/config/model.py).
    """
    if accelerator.bf16:
        return None
    refuses = [refuses_float16(facts, model) for facts in facts_of(version)]
    return "float32" if refuses and all(refuses) else "float16"


def default_length(model: Model, version: str) -> int:
    """The longest request by default: the model's context, or for LongRoPE the length of its original training."""
    tables = facts_of(version)
    if model.original_context is None or not any(facts.longrope_default == "original" for facts in tables):
        return model.context
    return min(model.original_context, model.context)


def method_names(method: str) -> tuple[str, ...]:
    return next((also for also in _ALSO.values() if method in also), (method,))


def describe_format(deployment: Deployment) -> str:
    checkpoint = deployment.model.quantization
    if deployment.method == "compressed-tensors" and checkpoint is not None:
        return f"compressed-tensors weights in {checkpoint.bits:g} bits"
    return f"{deployment.method} weights"


def refuses_float16(facts: EngineFacts, model: Model) -> bool:
    """Model types are named as architectures are: gemma3_text is Gemma3ForCausalLM, gemma3 its multimodal sibling."""
    family = model.architecture.partition("For")[0].lower()
    return family in {name.removesuffix("_text").replace("_", "") for name in facts.float16_refused}
