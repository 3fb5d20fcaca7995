"""Releases: tested sets of versions, with the flags and names that differ between them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PickerPlugins(_Frozen):
    """Plugin type of each scorer in this release."""

    prefix: str
    kv: str
    queue: str


class PickerRelease(_Frozen):
    """The endpoint picker of a release: image, configuration API, flags."""

    image: str
    version: str
    config_api: str
    objective_groups: tuple[str, ...]
    metric_prefix: str
    leader_election_flag: str
    flags: tuple[str, ...]
    plugins: PickerPlugins


class EngineRelease(_Frozen):
    """vLLM images by accelerator kind, and the command that takes `vllm serve`'s arguments."""

    gpu: str
    tpu: str
    version: str
    command: tuple[str, ...]


class Release(_Frozen):
    """One tested set of versions. `rehearsable`: its picker can be had as a Go module."""

    name: str
    title: str
    picker: PickerRelease
    engine: EngineRelease
    # Value of the label llm-d.ai/role on a pod that does prefill and decode.
    role_of_both: str
    rehearsable: bool
