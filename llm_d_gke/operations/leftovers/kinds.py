"""Kinds of resources that a stack or GKE's controllers make, read from kinds.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llm_d_gke.catalog.reading import read_yaml


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`path` is below the API's host, with `{project}` and `{region}`; `items` is the key of the list in an answer.

    `scope` is the grouping of an answer of Compute Engine: by location (aggregated) or not. `refers` names fields that
    hold links to other resources of a load balancer. `price` is an item of catalog/prices.yaml, by unit or by GiB.
    `gcloud` is the group of the command.
    """

    title: str
    path: str
    gcloud: str
    api: str = "compute"
    items: str = "items"
    scope: Literal["aggregated", "global", "listed"] = "aggregated"
    refers: tuple[str, ...] = ()
    price: str | None = None
    graph: str | None = None  # Pulumi's type of the resources of this kind that the stack itself creates

    @property
    def host(self) -> str:
        return f"{self.api}.googleapis.com"


UNMANAGED = "unmanaged instance group"
_FILE = Path(__file__).with_name("kinds.yaml")


def _kind(entry: dict[str, Any]) -> Kind:
    """A kind from its entry. One with a `collection` is of Compute Engine."""
    refers = tuple(entry.pop("refers", ()))
    collection = entry.pop("collection", None)
    if collection is None:
        return Kind(scope="listed", refers=refers, **entry)
    place, gcloud = entry.get("scope", "aggregated"), f"compute {entry.pop('gcloud')}"
    return Kind(path=f"/compute/v1/projects/{{project}}/{place}/{collection}", gcloud=gcloud, refers=refers, **entry)


KINDS: tuple[Kind, ...] = tuple(_kind(entry) for entry in read_yaml(_FILE))

_LAST_PART = "TLS certificate"
_PARTS = [kind.title for kind in KINDS].index(_LAST_PART) + 1

# Kinds that make up a load balancer: whatever one of them refers to belongs to the same one.
LOAD_BALANCER: Mapping[str, Kind] = {kind.title: kind for kind in KINDS[1:_PARTS]}
