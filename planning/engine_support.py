"""What an engine version refuses of a model on an accelerator, by the tables that vLLM's own code filled.

Pure: a deployment in, reasons out. `catalog/engines/*.yaml` holds the facts; nothing here is known beside them. What
the tables do not say is unknown, which is no refusal. A version between two tables is refused what both refuse.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from catalog.engines import (
    TRITON,
    AttentionUse,
    CapabilityFacts,
    EngineFacts,
    TpuFacts,
    facts_of,
    load_facts,
    shared_memory_bytes,
    versions,
)
from catalog.schema import Accelerator, Attention, Model

Kind = Literal[
    "architecture",
    "dtype",
    "float16",
    "attention-kernel",
    "experts-kernel",
    "quantization-unknown",
    "quantization-capability",
    "quantization-dtype",
    "tpu-quantization",
    "tpu-adapters",
]
# The setting, or the model's id, that a refusal is about.
About = Literal["id", "dtype", "tensorParallel", "quantization", "env"]

_NORMAL = {"half": "float16", "float": "float32"}
# Kernels of 16-bit experts that need the experts' width on a GPU to be a multiple of this, and do not come up else
# (vllm-project/vllm pull request 51492, vLLM 0.26.0 on B200).
_ALIGNED = ("FLASHINFER_TRTLLM", "FLASHINFER_CUTLASS")
_ALIGNMENT = 128
# Its kernel was not compiled by the tool; nothing says whether it runs on older cards than these.
_TRITON_MLA, _TRITON_MLA_SEEN = "TRITON_MLA", 8.0
# Names under which versions know the same checkpoints.
_ALSO: Mapping[str, tuple[str, ...]] = {
    "awq": ("awq", "awq_marlin", "auto_awq"),
    "gptq": ("gptq", "gptq_marlin", "auto_gptq"),
    "mxfp4": ("mxfp4", "gpt_oss_mxfp4"),
    "modelopt": ("modelopt", "modelopt_fp4", "modelopt_mixed", "modelopt_mxfp8"),
}


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One model as one engine would run it. `None` is vLLM's own choice."""

    model: Model
    accelerator: Accelerator
    version: str
    dtype: str | None = None
    quantization: str | None = None
    kv_cache_dtype: str | None = None
    tensor_parallel: int = 1
    data_parallel: int = 1
    expert_parallel: bool = False
    expert_backend: str | None = None
    adapters: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def effective_dtype(self) -> str:
        """The dtype of activations; 16 bits are bfloat16 where the accelerator has it."""
        if self.dtype not in (None, "auto"):
            return _NORMAL.get(str(self.dtype), str(self.dtype))
        return default_dtype(self.model, self.accelerator, self.version) or "bfloat16"

    @property
    def method(self) -> str | None:
        """How the weights are quantized: as set, else as the checkpoint says."""
        own = self.model.quantization
        return self.quantization or (own.method if own is not None else None)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why an engine does not run a deployment. `reason` is a clause without a full stop; `certain`: not only likely."""

    kind: Kind
    about: About
    reason: str
    source: str
    certain: bool = True


def default_dtype(model: Model, accelerator: Accelerator, version: str) -> str | None:
    """The dtype that vLLM takes by itself on an accelerator without bfloat16; None where bfloat16 is no question.

    float16, or float32 for model types whose code refuses float16 (vllm/config/model.py).
    """
    if accelerator.bf16:
        return None
    refuses = [_refuses_float16(facts, model) for facts in facts_of(version)]
    return "float32" if refuses and all(refuses) else "float16"


def default_length(model: Model, version: str) -> int:
    """The longest request where nobody sets it: the model's context, or of LongRoPE what it was trained for first."""
    tables = facts_of(version)
    if model.original_context is None or not any(facts.longrope_default == "original" for facts in tables):
        return model.context
    return min(model.original_context, model.context)


def refusals_of(deployment: Deployment) -> list[Refusal]:
    """Every reason why this version refuses it. Empty: nothing is known against it."""
    found = [list(_refusals(deployment, facts)) for facts in facts_of(deployment.version)]
    if not found:
        return []
    # Two tables speak for a version between them: what only one of them refuses is not certain.
    kinds = [{refusal.kind for refusal in each} for each in found]
    shared = set.intersection(*kinds)
    refusals = {
        refusal.kind: replace(refusal, certain=refusal.certain and refusal.kind in shared)
        for each in found
        for refusal in each
    }
    return list(refusals.values())


def is_known(deployment: Deployment) -> bool:
    """Whether the tables say everything about it: nothing that decides is missing in them."""
    tables = facts_of(deployment.version)
    if not tables or not any(deployment.model.architecture in facts.architectures for facts in tables):
        return False
    if deployment.accelerator.kind == "tpu":
        return all(facts.tpu is not None for facts in tables)
    return all(outcome is not None for facts in tables for _, outcome in _attention_outcomes(deployment, facts))


def _refusals(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    later = _architecture(deployment, facts)
    if later is not None:
        yield later
        return
    if deployment.accelerator.kind == "tpu":
        yield from _float16(deployment, facts)
        if facts.tpu is not None:
            yield from _tpu(deployment, facts, facts.tpu)
        return
    here = facts.at(deployment.accelerator.compute_capability or 0.0)
    if here is None:
        return
    yield from _dtype(deployment, facts, here)
    yield from _attention(deployment, facts)
    yield from _experts(deployment, facts, here)
    yield from _quantization(deployment, facts)


def _architecture(deployment: Deployment, facts: EngineFacts) -> Refusal | None:
    """An architecture that a later version has. One that no table has may come with the model's own code."""
    name = deployment.model.architecture
    if name in facts.architectures:
        return None
    since = next((other.version for other in _tables_after(facts) if name in other.architectures), None)
    if since is None:
        return None
    return Refusal(
        kind="architecture",
        about="id",
        reason=f"vLLM {facts.version} has no implementation of {name}, which vLLM {since} has",
        source=f"model registry of vLLM {facts.version}",
    )


def _tables_after(facts: EngineFacts) -> Iterator[EngineFacts]:
    for version in versions():
        other = load_facts(version)
        if other.number > facts.number:
            yield other


# ---- dtypes ----


def _refuses_float16(facts: EngineFacts, model: Model) -> bool:
    """Model types are named as architectures are: gemma3_text is Gemma3ForCausalLM, gemma3 its multimodal sibling."""
    family = model.architecture.partition("For")[0].lower()
    return family in {name.removesuffix("_text").replace("_", "") for name in facts.float16_refused}


def _dtype(deployment: Deployment, facts: EngineFacts, here: CapabilityFacts) -> Iterator[Refusal]:
    dtype = deployment.effective_dtype
    if dtype not in here.dtypes:
        capability = deployment.accelerator.compute_capability
        yield Refusal(
            kind="dtype",
            about="dtype",
            reason=f"{deployment.accelerator.title} has compute capability {capability}, where vLLM computes in "
            f"{' or '.join(here.dtypes)} only",
            source=f"CUDA platform of vLLM {facts.version}",
        )
    yield from _float16(deployment, facts)


def _float16(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    """Checked before vLLM looks at its platform: it holds on every accelerator."""
    if deployment.effective_dtype == "float16" and _refuses_float16(facts, deployment.model):
        yield Refusal(
            kind="float16",
            about="dtype",
            reason=f"vLLM {facts.version} refuses float16 for {deployment.model.architecture}: "
            "it is numerically unstable",
            source=f"vllm/config/model.py of vLLM {facts.version}",
        )


# ---- attention ----


def _attention(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    for group, outcome in _attention_outcomes(deployment, facts):
        if outcome:
            head = _head(deployment.model, group)
            yield Refusal(
                kind="attention-kernel",
                about="dtype" if deployment.effective_dtype == "float32" else "id",
                reason=f"{deployment.model.id} has attention heads of {head} numbers, and in "
                f"{deployment.effective_dtype} {outcome}",
                source=f"attention back ends of vLLM {facts.version}",
            )
            return


def _attention_outcomes(deployment: Deployment, facts: EngineFacts) -> Iterator[tuple[Attention, str | None]]:
    """For each group of layers: "" runs, a clause why it does not, None where the table does not say."""
    accelerator, dtype = deployment.accelerator, deployment.effective_dtype
    here = facts.at(accelerator.compute_capability or 0.0)
    for group in deployment.model.attention:
        if group.kind not in ("full", "sliding", "chunked", "mla"):
            continue
        if here is None:
            yield group, None
            continue
        head = _head(deployment.model, group)
        backends = here.backends(_use(deployment, facts, group), dtype, head)
        if backends is None:
            yield group, None
        elif not backends:
            yield group, f"vLLM {facts.version} has no attention back end for them on {accelerator.title}"
        elif backends[0] == _TRITON_MLA and (accelerator.compute_capability or 0.0) < _TRITON_MLA_SEEN:
            yield group, None
        elif backends[0] != TRITON:
            yield group, ""
        else:
            yield group, _triton(deployment, facts, here, group, head)


def _triton(
    deployment: Deployment, facts: EngineFacts, here: CapabilityFacts, group: Attention, head: int
) -> str | None:
    accelerator = deployment.accelerator
    limit = shared_memory_bytes(accelerator.compute_capability or 0.0)
    needed = here.kernel_bytes(deployment.effective_dtype, head, windowed=group.kind != "full")
    if needed is None:
        # Smaller heads than the smallest that was compiled need less; other sizes are padded up.
        sizes = [row.head for row in here.triton_shared_memory if row.head >= head]
        needed = (
            here.kernel_bytes(deployment.effective_dtype, min(sizes), windowed=group.kind != "full") if sizes else None
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


def _head(model: Model, group: Attention) -> int:
    if group.kind == "mla" and model.mla is not None:
        return model.mla.kv_lora_rank + model.mla.qk_rope_head_dim
    return group.head_dim or model.head_dim


def _use(deployment: Deployment, facts: EngineFacts, group: Attention) -> AttentionUse:
    if group.kind == "mla":
        return "mla"
    if deployment.model.architecture in facts.sink_architectures:
        return "sink"
    if (deployment.kv_cache_dtype or "").startswith("fp8"):
        return "fp8-cache"
    return "plain"


def split_block_sizes(deployment: Deployment, size: int) -> tuple[int, ...]:
    """Block sizes of the chosen attention kernels, where `size` exceeds all of them. Empty: it does not, or unknown."""
    for facts in facts_of(deployment.version):
        here = facts.at(deployment.accelerator.compute_capability or 0.0)
        if here is None:
            return ()
        for group in deployment.model.attention:
            if group.kind not in ("full", "sliding", "chunked"):
                continue
            head = _head(deployment.model, group)
            backends = here.backends(_use(deployment, facts, group), deployment.effective_dtype, head)
            sizes = here.block_sizes.get(backends[0], ()) if backends else ()
            numbers = tuple(number for number in sizes if isinstance(number, int))
            if numbers and len(numbers) == len(sizes) and size > max(numbers):
                return numbers
    return ()


# ---- experts ----


def _experts(deployment: Deployment, facts: EngineFacts, here: CapabilityFacts) -> Iterator[Refusal]:
    experts, dtype = deployment.model.experts, deployment.effective_dtype
    if experts is None or deployment.method is not None or dtype not in ("bfloat16", "float16"):
        return
    if not here.experts or deployment.expert_backend not in (None, "auto") or deployment.adapters:
        return
    kernels = [name for name in here.experts if not (deployment.data_parallel > 1 and name == "FLASHINFER_CUTLASS")]
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


# ---- quantization ----


def _names(method: str) -> tuple[str, ...]:
    return next((also for also in _ALSO.values() if method in also), (method,))


def _quantization(deployment: Deployment, facts: EngineFacts) -> Iterator[Refusal]:
    method = deployment.method
    if method is None or not facts.quantization:
        return
    about: About = "quantization" if deployment.quantization else "id"
    known = [facts.quantization[name] for name in _names(method) if name in facts.quantization]
    if not known:
        yield Refusal(
            kind="quantization-unknown",
            about=about,
            reason=f"vLLM {facts.version} has no quantization method {method}",
            source=f"quantization methods of vLLM {facts.version}",
        )
        return
    capability = deployment.accelerator.compute_capability or 0.0
    least = _least_capability(deployment, facts)
    if least is not None and capability < least:
        yield Refusal(
            kind="quantization-capability",
            about=about,
            reason=f"{deployment.accelerator.title} has compute capability {capability}; the kernels of vLLM "
            f"{facts.version} for {_format(deployment)} need {least}",
            source=f"quantization methods of vLLM {facts.version}",
        )
        return
    able = [entry for entry in known if entry.minimum_capability is None or entry.minimum_capability <= capability]
    dtype = deployment.effective_dtype
    if able and all(entry.dtypes and dtype not in entry.dtypes for entry in able):
        dtypes = sorted({name for entry in able for name in entry.dtypes})
        yield Refusal(
            kind="quantization-dtype",
            about="dtype",
            reason=f"vLLM {facts.version} runs {method} weights on {deployment.accelerator.title} in "
            f"{' or '.join(dtypes)} only, and this is {dtype}",
            source=f"quantization methods of vLLM {facts.version}",
        )


def _format(deployment: Deployment) -> str:
    own = deployment.model.quantization
    if deployment.method == "compressed-tensors" and own is not None:
        return f"compressed-tensors weights in {own.bits:g} bits"
    return f"{deployment.method} weights"


def _least_capability(deployment: Deployment, facts: EngineFacts) -> float | None:
    """The least compute capability of any kernel for these weights. None: not known."""
    method, own = deployment.method or "", deployment.model.quantization
    if method == "compressed-tensors" and own is not None and facts.compressed_tensors:
        # Eight bits are fp8 here: with activations in fp8 where the card has them, else weights only.
        formats = ("W8A8Fp8", "W8A16Fp8") if own.bits == 8 else ("WNA16",) if own.bits == 4 else ()
        needs = [facts.compressed_tensors[name] for name in formats if name in facts.compressed_tensors]
        return min(needs) if needs else None
    known = [facts.quantization[name].minimum_capability for name in _names(method) if name in facts.quantization]
    least = [number for number in known if number is not None]
    return min(least) if least else None


# ---- TPU ----


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


def needs_torch(deployment: Deployment) -> bool:
    """Whether a deployment on TPU needs to be told to take PyTorch's implementation: JAX's has no adapters."""
    if deployment.accelerator.kind != "tpu" or not deployment.adapters:
        return False
    tables = [facts.tpu for facts in facts_of(deployment.version) if facts.tpu is not None]
    return bool(tables) and any(not tpu.jax_lora and tpu.uses_jax(deployment.model.architecture) for tpu in tables)


def _tpu(deployment: Deployment, facts: EngineFacts, tpu: TpuFacts) -> Iterator[Refusal]:
    implementation = implementation_of(deployment)
    own = deployment.model.quantization
    method = deployment.method
    source = f"sources of {tpu.package}" + ("" if tpu.exact else f", the nearest published to vLLM {facts.version}")
    if deployment.adapters and implementation == "jax" and not tpu.jax_lora:
        yield Refusal(
            kind="tpu-adapters",
            about="env",
            reason=f"the JAX implementation of {deployment.model.architecture} has no LoRA adapters: the engine ends "
            "while it compiles",
            source=source,
        )
    if method is None:
        return
    about: About = "quantization" if deployment.quantization else "id"
    names = _names(method)
    if not any(name in tpu.platform_quantization for name in names):
        yield Refusal(
            kind="tpu-quantization",
            about=about,
            reason=f"vLLM {facts.version} on TPU has no quantization method {method}",
            source=source,
        )
        return
    able = tpu.jax_quantization if implementation == "jax" else tpu.torch_quantization
    schemes = tpu.jax_compressed_tensors if implementation == "jax" else tpu.torch_compressed_tensors
    scheme = _tpu_scheme(own.bits) if method == "compressed-tensors" and own is not None else None
    if any(name in able for name in names) and (scheme is None or any(name in schemes for name in scheme)):
        return
    called = "JAX" if implementation == "jax" else "PyTorch"
    yield Refusal(
        kind="tpu-quantization",
        about=about,
        reason=f"on TPU vLLM {facts.version} runs {deployment.model.architecture} by its {called} implementation, "
        f"which cannot load {_format(deployment)}",
        source=source,
    )


def _tpu_scheme(bits: float) -> tuple[str, ...]:
    """Formats of compressed-tensors that weights of so many bits may be in, as the TPU back end calls them."""
    return ("fp8_w8a8", "dynamic_token_w8a8") if bits == 8 else ("w4a16",)


# ---- arguments ----


def unknown_options(version: str, arguments: Sequence[str]) -> list[tuple[int, str, str | None]]:
    """Position and name of every option that `vllm serve` of this version ends on, with the nearest that it has.

    Python's parser takes a beginning of an option that only one option has; options of a part (`--a.b`) are taken with
    the part. A version between two tables is judged by what both of them lack.
    """
    tables = facts_of(version)
    found: list[tuple[int, str, str | None]] = []
    for position, name in _options(arguments):
        if not tables or any(not facts.options or _knows(facts.options, name) for facts in tables):
            continue
        near = difflib.get_close_matches(
            name, [option for facts in tables for option in facts.options], n=1, cutoff=0.75
        )
        found.append((position, name, near[0] if near else None))
    return found


def _options(arguments: Sequence[str]) -> Iterator[tuple[int, str]]:
    for position, text in enumerate(arguments):
        name = text.partition("=")[0].replace("_", "-")
        if re.match(r"--[A-Za-z]", name):
            yield position, name.partition(".")[0]


def _knows(options: Sequence[str], name: str) -> bool:
    return name in options or sum(option.startswith(name) for option in options) == 1


def option_value(arguments: Sequence[str], *names: str) -> str | None:
    """The last value of an option among further arguments, `--name value` or `--name=value`."""
    value = None
    for position, text in enumerate(arguments):
        name, separator, given = text.partition("=")
        if name.replace("_", "-") in names:
            value = given if separator else arguments[position + 1] if position + 1 < len(arguments) else None
    return value
