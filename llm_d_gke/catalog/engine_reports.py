"""Parts of engine.yaml that people reported: starts that failed, and the form in which models write tool calls."""

from typing import Literal

from .schema import Entry


class StartReport(Entry):
    """A start or answers that were seen to fail for another cause than memory."""

    architecture: str | None = None  # None: any
    accelerators: tuple[str, ...] = ()  # by name; none: any
    seen: str
    source: str  # address
    since: str = "0"
    before: str | None = None  # None: no version is known that runs
    # What else has to be so: a format of weights, and that they are a mixture of experts'.
    weights: Literal["nvfp4", "fp8", "compressed-nvfp4"] | None = None
    experts: bool = False
    kv_cache: Literal["fp8"] | None = None
    backend: str | None = None  # attention back end that the stack file names
    guessed: int = 0  # tokens, at least
    adapters: bool = False  # with LoRA adapters
    rank: int = 0  # of the adapters, at least
    guesses: str | None = None  # method of speculative decoding
    unless: str | None = None  # option that chooses other kernels
    ends: bool = False  # in every report the engine ended
    instead: str = "try one start before you rely on it, or use another accelerator"


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


class ToolCalls(Entry):
    """The form in which a family of models writes tool calls."""

    models: str  # regular expression of the id on the Hub
    parsers: tuple[str, ...]  # that read it, the recommended one first
