"""Parts of engine.yaml that people reported: starts that failed, and what families of models write."""

import functools
import re
from collections.abc import Iterable
from typing import Literal, TypeVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from .checkpoint_traits import Trait
from .schema import Entry
from .versions import version_numbers


class StartReport(Entry):
    """A start or answers that were seen to fail for another cause than memory.

    Every condition that is stated has to hold. Options are those of `extraArgs`, variables those of `env`.
    """

    architecture: str | None = None  # None: any
    architectures: tuple[str, ...] = ()  # one of them; none: any
    except_architectures: tuple[str, ...] = ()  # none of them
    models: tuple[str, ...] = ()  # beginnings of ids on the Hub; none: any
    accelerators: tuple[str, ...] = ()  # by name; none: any
    capability_from: float = 0.0  # compute capability, with it
    capability_below: float | None = None
    capability_outside: tuple[float, float] | None = None  # below the first, or from the second on
    seen: str
    source: str  # address
    since: str = "0"
    before: str | None = None  # None: no version is known that runs
    # What else has to be so: a format of weights, and that they are a mixture of experts'.
    weights: (
        Literal[
            "nvfp4",
            "fp8",
            "fp8_blocks",
            "compressed-nvfp4",
            "mxfp4",
            "bitsandbytes",
            "plain",
            "fp8_per_channel",
            "nvfp4_per_token",
            "int8",
            "int4",
        ]
        | None
    ) = None
    trait: Trait | None = None  # of how the checkpoint is quantized
    stored: bool = False  # the checkpoint's own format, not one that weights get while they are loaded
    modelopt_head: bool = False  # ModelOpt quantized the output layer too
    experts: bool = False
    dense: bool = False  # no experts
    recurrent: bool | None = None  # layers with recurrent states; False: without
    latent: bool = False  # latent attention
    media: bool | None = None  # takes images, sound or video; False: text alone
    dtype: Literal["bfloat16", "float16", "float32"] | None = None  # of its computation
    heads: bool = False  # attention with keys and values for each head
    uneven_heads: bool = False  # the same, and the size of some is no power of two
    sparse: bool | None = None  # attention that chooses tokens by an indexer; False: without
    windows: bool | None = None  # layers with a sliding window; False: without
    shared_keys: bool = False  # layers that use the keys and values of earlier ones
    block: int | None = None  # blockSize is stated, and no multiple of it
    kv_cache: Literal["fp8", "nvfp4", "turboquant"] | None = None  # beginning of its type
    backend: str | None = None  # attention back end that the stack file names
    reasoning: tuple[str, ...] = ()  # the parser of thoughts that the stack file names is one of them
    guessed: int = 0  # tokens, at least
    adapters: bool = False  # with LoRA adapters
    no_adapters: bool = False  # without
    rank: int = 0  # of the adapters, at least
    draft: str = ""  # beginning of the id of the model that guesses
    guesses: str | None = None  # method of speculative decoding, "any", "none", or "layers": those of a checkpoint
    tensor: int = 1  # devices that share each layer, at least
    devices: int = 1  # of a replica, at least
    most_devices: int | None = None  # of a replica
    uneven: int | None = None  # a device's part of some layer's width is no multiple of it
    pipeline: bool = False  # in several pipeline stages
    stages: int = 1  # pipeline stages, at least
    image: str = ""  # part of the engine's image that the stack file names
    hub: bool = False  # weights are downloaded from the Hugging Face Hub
    disaggregated: bool = False  # prefill and decode in servers of their own
    ranks: bool = False  # in several data-parallel ranks
    expert_parallel: bool = False
    no_expert_parallel: bool = False
    uneven_experts: bool = False  # expert parallelism does not divide their number
    host_blocks: bool = False  # KV-cache blocks in the host's memory
    connector: bool = False  # blocks in the host's memory, or prefill and decode in servers of their own
    without_prefixes: bool = False  # prefix caching is off
    prefixes: bool = False  # prefix caching is asked for
    option: str | None = None  # or a key of an option that takes an object: --name.key
    values: tuple[str, ...] = ()  # of the option, one of them; none: any
    except_values: tuple[str, ...] = ()  # of the option, none of them
    like: str = (
        ""  # regular expression of the whole value: several words with a space between, lists and objects as JSON
    )
    # The option's number is larger than this, than the longest request, or than that of another option that is given;
    # or it is smaller than the longest request, than the number of adapters that the engine holds at once, or than
    # their rank; or it is no multiple of this.
    above: int | None = None
    above_length: bool = False
    below_length: bool = False
    above_option: str | None = None
    below_adapters: bool = False
    below_rank: bool = False
    multiple: int | None = None
    above_sequences: bool = False  # larger than maxNumSeqs
    other_than_devices: bool = False  # neither 1 nor the number of devices that share each layer
    other_than_block: bool = False  # another number than blockSize
    cuts_block: bool = False  # no divisor of blockSize
    variable: str | None = None
    variable_has: str = ""  # part of the variable's value; empty: any but 0 and false
    beside: tuple[str, ...] = ()  # options that are given too, each alone or with a value: "--name value"
    unless: tuple[str, ...] = ()  # options that choose something else, in the same form
    unless_variable: str | None = None
    unless_cache: str | None = None  # beginning of the type of the KV cache
    share: float = 0.0  # of the device's memory, at least
    first_runner: bool = False  # in Model Runner V1, by default or by its variable
    ends: bool = False  # in every report the engine ended
    instead: str = "try one start before you rely on it, or use another accelerator"


class StartReports(tuple[StartReport, ...]):
    """Reports of starts. A plan looks at those for its models, which are looked up once for each architecture."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, handler(tuple[StartReport, ...]))

    @functools.cached_property
    def _by_version(self) -> dict[tuple[str, str], tuple[StartReport, ...]]:
        return {}

    def about(self, architecture: str, version: str) -> tuple[StartReport, ...]:
        """Those that hold for an architecture in a version of vLLM, in order."""
        key = architecture, version
        if key not in self._by_version:
            number = version_numbers(version)
            self._by_version[key] = tuple(
                report
                for report in self
                if report.architecture in (None, architecture)
                and (not report.architectures or architecture in report.architectures)
                and architecture not in report.except_architectures
                and number >= version_numbers(report.since)
                and (report.before is None or number < version_numbers(report.before))
            )
        return self._by_version[key]


class FieldReport(Entry):
    """A start that failed contrary to the formulas; `seen` describes it, `instead` is a memory share that worked."""

    model: str
    accelerator: str
    since: str
    before: str
    utilization: float
    sequences: int
    seen: str
    instead: float
    source: str


class OtherModels(Entry):
    """Models that are no open weights for generating text."""

    models: str  # regular expression of the id
    kind: Literal["service", "images", "speech", "vectors"]


class Parsers(Entry):
    """The parsers of what a family of models writes, its tool calls or its reasoning."""

    models: str  # regular expression of the id on the Hub
    parsers: tuple[str, ...]  # the recommended one first; none: the family writes nothing of the kind


Family = TypeVar("Family", OtherModels, Parsers)


def family_of(families: Iterable[Family], model: str) -> Family | None:
    """The first family that a model's id belongs to, if it is known."""
    return next((family for family in families if re.search(family.models, model)), None)
