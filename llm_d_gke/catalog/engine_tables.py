"""Typed access to llm_d_gke/catalog/engines/*.yaml: the capabilities of each version of vLLM, taken from its own code.

`make engine-facts VERSION=0.26.0` writes these files. Facts outside `tpu` come from calling functions of vLLM, with
a stand-in for the accelerator. Facts in `tpu` were read in the published sources that it names.
"""

import datetime
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from .errors import CatalogError
from .reading import read_yaml
from .schema import DType, Entry, Source
from .versions import Numbers, version_numbers

_FOLDER = Path(__file__).with_name("engines")
_CAPABILITIES = Path(__file__).with_name("capabilities.yaml")

ModelFeature = Literal["adapters", "eagle3", "pipeline"]
AttentionUse = Literal["plain", "sink", "image-prefix", "mla", "fp8-cache"]

TRITON = "TRITON_ATTN"


class MethodFacts(Entry):
    """A quantization method. `minimum_capability` is None where vLLM does not say it for CUDA."""

    minimum_capability: float | None
    dtypes: tuple[DType, ...] = ()  # of activations; empty: vLLM did not say
    deprecated: bool = False


class AttentionRow(Entry):
    """Back ends that take these head sizes in these dtypes, in vLLM's order: it takes the first. Empty: none does."""

    use: AttentionUse
    dtypes: tuple[DType, ...]
    heads: tuple[int, ...]
    backends: tuple[str, ...]


class KernelRow(Entry):
    """Shared memory of vLLM's Triton attention, in bytes, as compiled for this capability."""

    dtype: DType
    head: int
    windowed: bool
    bytes: int


class CapabilityFacts(Entry):
    """Capabilities of vLLM on one CUDA compute capability."""

    dtypes: tuple[DType, ...]
    experts: tuple[str, ...]  # kernels of 16-bit experts that run here, in vLLM's order; empty: it did not answer
    block_sizes: Mapping[str, tuple[int | str, ...]]  # by attention back end; "multiple of 16"
    attention: tuple[AttentionRow, ...]
    triton_shared_memory: tuple[KernelRow, ...]

    def backends(self, use: AttentionUse, dtype: str, head: int) -> tuple[str, ...] | None:
        """Back ends for a head size. None if this use, dtype or size was not measured."""
        for row in self.attention:
            if row.use == use and dtype in row.dtypes and head in row.heads:
                return row.backends
        return None

    def kernel_bytes(self, dtype: str, head: int, *, windowed: bool) -> int | None:
        """Shared memory of the Triton kernel; None where it was not compiled."""
        # bfloat16 and float16 take the same: which of them was compiled depends on the card.
        dtypes = ("bfloat16", "float16") if dtype in ("bfloat16", "float16") else (dtype,)
        for row in self.triton_shared_memory:
            if row.dtype in dtypes and row.head == head and row.windowed == windowed:
                return row.bytes
        return None


class Capabilities(Entry):
    """Capabilities of a CUDA compute capability, independent of vLLM."""

    sources: Mapping[str, Source]
    shared_memory_bytes: Mapping[str, int]  # of one thread block


class TpuFacts(Entry):
    """Capabilities of the TPU back end. Its JAX implementations cover the architectures listed, PyTorch the others."""

    package: str
    exact: bool  # False: the version's own package is not published, and this is the nearest
    platform_quantization: tuple[str, ...]
    jax_architectures: tuple[str, ...]
    torch_preferred: tuple[str, ...]
    jax_quantization: tuple[str, ...]
    torch_quantization: tuple[str, ...]
    jax_compressed_tensors: tuple[str, ...]
    torch_compressed_tensors: tuple[str, ...]
    jax_lora: bool
    implementation_variable: str
    read: tuple[str, ...]

    def uses_jax(self, architecture: str) -> bool:
        """Which implementation `auto` takes."""
        return architecture in self.jax_architectures and architecture not in self.torch_preferred


OptionKind = Literal[
    "nothing",
    "perhaps",
    "several",
    "several integers",
    "one or more",
    "one or more integers",
    "integer",
    "number",
    "json",
    "object",
    "json or text",
    "flag",  # true or false, of keys
    "text",  # and nothing else, of keys
    "list",
    "list of integers",
    "list of numbers",
    "list of texts",
    "list of lists of 3 integers",
    "integer or object",
    "object of objects",
    "object of texts",
    "object of lists of numbers",
    "object of texts or text",
]


class ConfigurationFacts(Entry):
    """What the classes of transformers and vLLM take of a config.json."""

    model_types: tuple[str, ...]  # that have a class
    needing_architectures: tuple[str, ...]  # of which the class of the model does not follow
    transformers: tuple[str, ...]  # architectures that generate text, and that only transformers has


class EngineFacts(Entry):
    """One version of vLLM. `packages` are the published packages that were used."""

    version: str
    date: datetime.date
    packages: Mapping[str, str]
    float16_refused: tuple[str, ...]  # model types
    automatic_dtype: Mapping[str, DType]  # of a bfloat16 checkpoint on a card without bfloat16, by model type
    longrope_default: Literal["original", "full"]
    architectures: tuple[str, ...]  # that generate text
    # Architectures that this version had and has no more, with the last version that did.
    former_architectures: Mapping[str, str] = Field(default_factory=dict)
    sink_architectures: tuple[str, ...]  # whose attention has sinks
    recurrent_architectures: tuple[str, ...] = ()  # with layers that keep recurrent states
    # Architectures whose class does not declare what a feature needs. Classes that were not found are not listed.
    lacking_interfaces: Mapping[ModelFeature, tuple[str, ...]] = Field(default_factory=dict)
    # Parts of model types that heads of EAGLE-3 are limited to; empty: this version has no such list.
    eagle3_model_types: tuple[str, ...] = ()
    options: tuple[str, ...]
    deprecated_options: tuple[str, ...]
    option_values: Mapping[str, tuple[str, ...]]
    # Options by the kind of their value. Options that are not listed take any text.
    option_takes: Mapping[OptionKind, tuple[str, ...]] = Field(default_factory=dict)
    # Options by a word that they take in place of a number or JSON: None, auto; 8k means numbers with a unit.
    option_words: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    # Options by the range of their number, for example "at least 0, at most 1".
    option_ranges: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    # Names in the JSON object of an option, of options that refuse every other name. A key is an option of its own in
    # the other tables: --name.key.
    option_keys: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    # Those of them that have no default.
    option_needs: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    quantization: Mapping[str, MethodFacts]
    compressed_tensors: Mapping[str, float]  # least compute capability by format: W8A8Fp8, WNA16
    tool_parsers: tuple[str, ...] = ()  # values of --tool-call-parser
    reasoning_parsers: tuple[str, ...] = ()  # values of --reasoning-parser
    speculative_methods: tuple[str, ...] = ()  # values of `method` in --speculative-config
    kv_offload_hybrid: bool = False  # --kv-offloading-size keeps layers of several kinds apart
    experts_padded: bool | None = None  # gated 16-bit experts, for TensorRT-LLM's kernel; None: it did not answer
    configurations: ConfigurationFacts | None = None  # None: not asked, or by a transformers older than the image's
    capabilities: Mapping[str, CapabilityFacts]
    batches: Mapping[str, Mapping[Literal["tokens", "sequences"], int]]
    tpu: TpuFacts | None = None
    unanswered: Mapping[str, str] = Field(default_factory=dict)

    @property
    def number(self) -> Numbers:
        return version_numbers(self.version)

    def for_capability(self, capability: float) -> CapabilityFacts | None:
        """What the engine answered for cards of this compute capability; None where the table has no such card."""
        return self.capabilities.get(f"{capability:.1f}")

    @property
    def cited(self) -> str:
        """As findings name the source."""
        return f"vLLM {self.version}"


@functools.cache
def shared_memory_bytes(capability: float) -> int | None:
    """Largest shared memory of one thread block; None where the catalog does not say."""
    table = Capabilities.model_validate(read_yaml(_CAPABILITIES))
    return table.shared_memory_bytes.get(f"{capability:.1f}")


@functools.cache
def versions() -> tuple[str, ...]:
    """Versions that have a table, oldest first."""
    return tuple(sorted((path.stem for path in _FOLDER.glob("*.yaml")), key=version_numbers))


def is_later(version: str) -> bool:
    """Whether a version is newer than every table. What the newest lacks it may have."""
    return version_numbers(version)[:2] > version_numbers(versions()[-1])[:2]


def may_have(version: str, has: Callable[[EngineFacts], bool]) -> bool:
    """Whether a version may have what the newest table lacks: it is newer, and no older table had it and lost it."""
    return is_later(version) and not any(has(load_facts(name)) for name in versions())


@functools.cache
def load_facts(version: str) -> EngineFacts:
    """The table of exactly this version. Raises CatalogError when the file is malformed or missing."""
    path = _FOLDER / f"{version}.yaml"
    try:
        return EngineFacts.model_validate(read_yaml(path))
    except OSError as error:
        raise CatalogError(f"engines/{version}.yaml: {error.strerror}") from error
    except (ValidationError, yaml.YAMLError) as error:
        raise CatalogError(f"engines/{version}.yaml: {error}") from error


@functools.cache
def facts_of(version: str) -> tuple[EngineFacts, ...]:
    """Tables that apply to a version: its own, or else the nearest on either side.

    A patch release counts as its minor version where that has a table. What two neighbors agree on holds in between;
    where they differ it is unknown. Versions newer than every table use the newest; of versions older than
    every table nothing is known.
    """
    number = version_numbers(version)
    tables = versions()
    same = [name for name in tables if version_numbers(name)[:2] == number[:2]]
    if same:
        exact = [name for name in same if version_numbers(name) == number]
        return (load_facts((exact or same)[0]),)
    below = [name for name in tables if version_numbers(name) < number]
    if not below:
        return ()
    above = [name for name in tables if version_numbers(name) > number]
    return tuple(load_facts(name) for name in (*below[-1:], *above[:1]))
