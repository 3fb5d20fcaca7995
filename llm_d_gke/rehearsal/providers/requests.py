# ruff: noqa: N818 - named after what became of the resource
"""Requests of the engine to a provider, and their results, as typed values."""

from __future__ import annotations

from dataclasses import dataclass, field

from llm_d_gke.rehearsal.errors import ProviderError
from llm_d_gke.rehearsal.providers.properties import Properties


class Refused(ProviderError):
    """The operation was refused. The message is printed beside the resource."""


class Invalid(ProviderError):
    """The inputs are invalid: (property path, reason) pairs. An empty path means the whole resource."""

    def __init__(self, *failures: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{path}: {reason}" if path else reason for path, reason in failures))
        self.failures = failures


@dataclass(frozen=True, kw_only=True)
class Request:
    urn: str
    type: str  # token, "gcp:compute/network:Network"
    name: str  # logical name
    config: Properties = field(default_factory=dict)  # of the provider resource the request belongs to


@dataclass(frozen=True, kw_only=True)
class CheckRequest(Request):
    olds: Properties | None  # inputs of the last deployment; None when the resource is new
    news: Properties
    seed: bytes  # makes auto-names repeatable; may be empty


@dataclass(frozen=True, kw_only=True)
class CreateRequest(Request):
    inputs: Properties
    preview: bool


@dataclass(frozen=True, kw_only=True)
class UpdateRequest(Request):
    """A diff or an update. `old_inputs` and `news` are inputs, `olds` are the previous outputs."""

    id: str
    olds: Properties
    old_inputs: Properties
    news: Properties
    preview: bool = False


@dataclass(frozen=True, kw_only=True)
class DeleteRequest(Request):
    id: str
    olds: Properties


@dataclass(frozen=True, kw_only=True)
class ReadRequest(Request):
    """A refresh, a `.get()` or an import. The latter two have no properties."""

    id: str
    old_inputs: Properties


@dataclass(frozen=True)
class Created:
    id: str  # empty in a preview
    outputs: Properties


@dataclass(frozen=True)
class Live:
    """The result of a read. `inputs` None keeps the inputs in the state."""

    id: str
    outputs: Properties
    inputs: Properties | None = None
