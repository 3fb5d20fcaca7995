"""Endpoint pickers: which plugins each has, how stable they are, and how it treats unknown plugins and parameters."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

Stability = Literal["stable", "beta", "alpha", "test"]
Kind = Literal[
    "filter",
    "scorer",
    "picker",
    "profile-handler",
    "decider",
    "request",
    "producer",
    "admitter",
    "saturation-detector",
    "fairness-policy",
    "ordering-policy",
    "usage-limit-policy",
    "eviction",
    "data-source",
    "extractor",
    "discovery",
    "parser",
    "reporter",
]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Deprecation(_Frozen):
    """The replacement of a deprecated plugin, and the version that removes the plugin."""

    use: str
    removed_in: str


class Lacking(_Frozen):
    """Another plugin without which the picker ends at start, or the plugin does nothing."""

    plugin: str
    seen: str
    source: str


class Detector(_Frozen):
    """What was seen of a plugin as the picker's saturation detector, and what to do instead."""

    seen: str
    source: str
    fix: str


class Need(_Frozen):
    """Another plugin without which the picker does not start, unless a parameter names one in its place."""

    plugin: str
    unless: str


class Plugin(_Frozen):
    """One plugin type of a picker. `parameters` names their group in picker_parameters.yaml."""

    type: str
    kinds: tuple[Kind, ...]
    parameters: str = "NoParameters"
    stability: Stability
    # Its state is that of one process only.
    state: Literal["process"] | None = None
    deprecated: Deprecation | None = None
    # Plugins beside which the picker does not start.
    conflicts: tuple[str, ...] = ()
    # A plugin without which it ends the picker, or does nothing.
    lacking: Lacking | None = None
    # What keeps it from being a good saturation detector.
    as_detector: Detector | None = None
    needs: Need | None = None
    # Parameters that it accepts and never reads.
    unused: tuple[str, ...] = ()
    # Parameters in whose place it uses what engines report, unless autoTune is false.
    tuned: tuple[str, ...] = ()
    # It works with predictions of latency, which servers beside the picker train and answer.
    predictions: bool = False
    # Tokens to which a smaller block of a prompt is raised.
    least_block_tokens: int = 1


class Picker(_Frozen):
    """One build of the endpoint picker. `document` names the shape of its configuration."""

    name: str
    title: str
    document: str
    unknown_parameters: Literal["fatal", "ignored"]
    # The flag that enables alpha plugins. None if the picker has no stability levels.
    experimental_flag: str | None = None
    # Of several pickers the leader holds the Lease `epp-NAMESPACE-POOL.` with this domain.
    lease_domain: str
    feature_gates: tuple[str, ...]
    # Paths of vLLM's whose bodies it reads, and what it does with a body for another: refused is an answer 400.
    paths: tuple[str, ...]
    other_paths: Literal["refused", "passed"] = "refused"
    # Paths where an engine's answer ends the picker's process.
    fatal_paths: tuple[str, ...] = ()
    # By plugin: parameters of which the picker was seen to take values outside of what the plugin is written for.
    unchecked: Mapping[str, tuple[str, ...]] = {}
    plugins: Mapping[str, Plugin]

    def takes(self, path: str) -> bool:
        """Whether it sends a request with a body for this path of vLLM's to an engine."""
        return self.other_paths == "passed" or path in self.paths

    def has(self, plugin_type: str) -> bool:
        return plugin_type in self.plugins
