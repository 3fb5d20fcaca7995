"""Model servers as other tools describe them: one record each, whatever the document was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llm_d_gke.nested import value_at

Json = Mapping[str, Any]
Role = Literal["both", "prefill", "decode"]


@dataclass(frozen=True, kw_only=True)
class Server:
    """The model servers of one model in one role.

    `origin` names the document they come from. `arguments` are those of `vllm serve`, variables resolved as far as
    their values are in the document. `source` is the `models[].source` of a stack file. `accelerators` are counted for
    one pod. `hosts` is more than one where a replica is a group of pods.
    """

    origin: str
    model: str | None
    role: Role = "both"
    replicas: int = 1
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    served_name: str | None = None
    source: Mapping[str, str] | None = None
    adapters: tuple[Mapping[str, Any], ...] = ()
    accelerators: int = 0
    resource: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    hosts: int = 1
    parallelism: Mapping[str, int] = field(default_factory=dict)
    # What its pod has and a stack file has no place for, each with the reason.
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class NotCarried:
    """Something that a stack file does not carry over, with the reason or the replacement."""

    origin: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.what}: {self.why}"


def mapping(value: Any, *path: str) -> Json:
    """The map at a path of keys, or an empty map."""
    inner = value_at(value, *path)
    return inner if isinstance(inner, Mapping) else {}


def listing(value: Any, *path: str) -> Sequence[Any]:
    """The list at a path of keys, or an empty list."""
    inner = value_at(value, *path)
    return inner if isinstance(inner, list) else ()


def int_or(value: Any, default: int) -> int:
    """The value as an integer, also where it is written as text; `default` for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


_WIDTHS = {"tensor": "tensorParallel", "pipeline": "pipelineParallel", "data": "dataParallel"}


def parallelism_of(part: Json, *names: str) -> dict[str, int]:
    """Widths above one in a part's `parallelism`, by the setting of a model."""
    widths = {_WIDTHS[name]: int_or(value_at(part, "parallelism", name), 1) for name in names}
    return {setting: width for setting, width in widths.items() if width > 1}
