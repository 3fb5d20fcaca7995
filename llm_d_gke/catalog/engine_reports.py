"""Parts of engine.yaml that people reported: starts that failed, and what families of models write."""

import functools
import operator
import re
from collections import defaultdict
from collections.abc import Iterable, Set
from typing import Annotated, Literal, TypeVar

from pydantic import GetCoreSchemaHandler, StringConstraints
from pydantic_core import CoreSchema, core_schema

from .checkpoint_traits import Trait
from .schema import Entry
from .versions import version_numbers

OptionName = Annotated[str, StringConstraints(pattern="^--")]


class StartReport(Entry):
    """A start or answers that were seen to fail for another cause than memory.

    Every condition that is stated has to hold. Options are those of `extraArgs`, variables those of `env`. A condition
    that is true or false holds where the model or its deployment is so; without it, either will do.
    """

    seen: str
    source: str  # address
    instead: str = "try one start before you rely on it, or use another accelerator"
    ends: bool = False  # in every report the engine ended
    since: str = "0"  # versions of vLLM
    before: str | None = None  # None: no version is known that runs

    # The model.
    architecture: str | None = None
    architectures: tuple[str, ...] = ()  # one of them
    except_architectures: tuple[str, ...] = ()  # none of them
    models: tuple[str, ...] = ()  # beginnings of ids on the Hub
    text: bool | None = None  # by its id the model generates text
    weights: (
        Literal[
            "nvfp4",
            "fp8",
            "fp8_blocks",
            "fp8_tensors",  # one scale for each
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
    methods: tuple[str, ...] = ()  # one of them quantized the checkpoint
    except_methods: tuple[str, ...] = ()  # none of them did
    trait: Trait | None = None  # of how the checkpoint is quantized
    stored: bool | None = None  # weights in the checkpoint's own format, not one that they get while they are loaded
    modelopt_head: bool | None = None  # ModelOpt quantized the output layer too
    dtype: Literal["bfloat16", "float16", "float32"] | None = None  # of its computation
    experts: bool | None = None
    recurrent: bool | None = None  # layers with recurrent states
    media: bool | None = None  # takes images, sound or video
    attention_ranks: bool | None = None  # TPU: devices of an engine attend for other requests each
    latent: bool | None = None  # latent attention; False: keys and values for each head
    uneven_heads: bool | None = None  # keys and values for each head, and the size of some is no power of two
    sparse: bool | None = None  # attention that chooses tokens by an indexer
    windows: bool | None = None  # layers with a sliding window
    shared_keys: bool | None = None  # layers that use the keys and values of earlier ones
    lone_head: bool | None = None  # a device keeps one key-value head of each layer

    # Accelerators and how the model is divided among them.
    accelerators: tuple[str, ...] = ()  # by name
    capability_from: float = 0.0  # compute capability, with it
    capability_below: float | None = None
    capability_outside: tuple[float, float] | None = None  # below the first, or from the second on
    devices: int = 1  # of a replica, at least
    most_devices: int | None = None  # of a replica
    tensor: int = 1  # devices that share each layer, at least
    uneven: int | None = None  # a device's part of some layer's width is no multiple of it
    stages: int = 1  # pipeline stages, at least
    ranks: bool | None = None  # several data-parallel ranks
    expert_parallel: bool | None = None
    uneven_experts: bool | None = None  # expert parallelism does not divide their number
    share: float = 0.0  # of the device's memory, at least

    # Features, by their settings or options.
    image: str = ""  # part of the engine's image that the stack file names
    hub: bool | None = None  # weights are downloaded from the Hugging Face Hub
    disaggregated: bool | None = None  # prefill and decode in servers of their own
    host_blocks: bool | None = None  # KV-cache blocks in the host's memory
    connector: bool | None = None  # one of these two
    prefixes: bool | None = None  # prefix caching is asked for; False: it is off
    block: int | None = None  # blockSize is stated, and no multiple of it
    except_blocks: tuple[int, ...] = ()  # blockSize is stated, and none of these
    kv_cache: Literal["fp8", "nvfp4", "turboquant"] | None = None  # beginning of its type
    unless_cache: str | None = None  # beginning of the type of the KV cache
    backend: str | None = None  # attention back end that the stack file names
    reasoning: tuple[str, ...] = ()  # the parser of thoughts that the stack file names is one of them
    adapters: bool | None = None  # LoRA adapters
    rank: int = 0  # of the adapters, at least
    guessed: int = 0  # tokens, at least
    draft: str = ""  # beginning of the id of the model that guesses
    guesses: str | None = None  # method of speculative decoding, "any", "none", or "layers": those of a checkpoint
    first_runner: bool | None = None  # in Model Runner V1, by default or by its variable

    # An option, and its value.
    option: str | None = None  # or a key of an option that takes an object: --name.key
    values: tuple[str, ...] = ()  # one of them
    except_values: tuple[str, ...] = ()  # none of them
    # Regular expression of the whole value: several words with a space between, lists and objects as JSON.
    like: str = ""
    above: int | Literal["length", "sequences"] | OptionName | None = None  # the longest request, maxNumSeqs, an option
    below: Literal["length", "adapters", "rank"] | None = None  # what the engine holds of adapters at once
    other_than: Literal["devices", "block"] | None = None  # neither 1 nor those that share each layer; blockSize
    multiple: int | None = None  # no multiple of this
    cuts_block: bool = False  # no divisor of blockSize
    beside: tuple[str, ...] = ()  # options that are given too, each alone or with a value: "--name value"
    unless: tuple[str, ...] = ()  # options that choose something else, in the same form

    # A variable.
    variable: str | None = None
    variable_has: str = ""  # part of the variable's value; empty: any but 0 and false
    unless_variable: str | None = None

    @property
    def by_card(self) -> bool:
        """Whether the compute capability counts."""
        return bool(self.capability_from or self.capability_below or self.capability_outside)

    @property
    def compares(self) -> bool:
        """Whether the option's value is compared as a number."""
        return not self.model_fields_set.isdisjoint(("above", "below", "other_than", "multiple", "cuts_block"))


class StartReports(tuple[StartReport, ...]):
    """Reports of starts. A plan looks at those for its models, which are looked up once for each architecture."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, handler(tuple[StartReport, ...]))

    @functools.cached_property
    def _by_version(self) -> dict[tuple[str, str], dict[str | None, list[tuple[int, StartReport]]]]:
        return {}

    def about(self, architecture: str, version: str, options: Set[str]) -> list[StartReport]:
        """Those that hold for an architecture in a version of vLLM, in order: about no option, or one of `options`."""
        key = architecture, version
        if key not in self._by_version:
            self._by_version[key] = self._by_option(architecture, version_numbers(version))
        by_option = self._by_version[key]
        reports = [numbered for option in (None, *options) for numbered in by_option.get(option, ())]
        return [report for _, report in sorted(reports, key=operator.itemgetter(0))]

    def _by_option(
        self, architecture: str, version: tuple[int, ...]
    ) -> dict[str | None, list[tuple[int, StartReport]]]:
        by_option: dict[str | None, list[tuple[int, StartReport]]] = defaultdict(list)
        for position, report in enumerate(self):
            if (
                report.architecture in (None, architecture)
                and (not report.architectures or architecture in report.architectures)
                and architecture not in report.except_architectures
                and version >= version_numbers(report.since)
                and (report.before is None or version < version_numbers(report.before))
            ):
                option = report.option.partition(".")[0] if report.option is not None else None
                by_option[option].append((position, report))
        return by_option


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
    kind: Literal["service", "images", "speech", "scores", "vectors"]


class Parsers(Entry):
    """The parsers of what a family of models writes, its tool calls or its reasoning."""

    models: str  # regular expression of the id on the Hub
    parsers: tuple[str, ...]  # the recommended one first; none: the family writes nothing of the kind
    template: str = ""  # file of vLLM's examples, where the family's own chat template passes no tools on


class OwnParsers(Entry):
    """Parsers that read the form of one family of models only, and the architectures of that family."""

    parsers: tuple[str, ...]  # the latest one first
    architectures: str  # regular expression of their beginning
    only: bool = False  # no other parser reads these architectures either

    def are_of(self, architecture: str) -> bool:
        return re.match(self.architectures, architecture) is not None


Family = TypeVar("Family", OtherModels, Parsers)


def family_of(families: Iterable[Family], model: str) -> Family | None:
    """The first family that a model's id belongs to, if it is known."""
    return next((family for family in families if re.search(family.models, model)), None)
