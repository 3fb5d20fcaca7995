"""What `gcloud container clusters describe` says of an existing cluster, against what the stack would create."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.cli.exits import RefusedInputError
from llm_d_gke.go_yaml import yaml_fault
from llm_d_gke.google_types import CLUSTER, NETWORK, NODE_POOL, SUBNETWORK, google_types
from llm_d_gke.nested import value_at
from llm_d_gke.resource_graph import Graph, Recorded, Unknown, contains_unknown

_FIELDS: Mapping[str, Mapping[str, str]] = yaml.safe_load(
    Path(__file__).with_name("fields.yaml").read_text(encoding="utf-8")
)
# The types of the resources that the cluster refers to.
_NETWORK = {"network": NETWORK, "subnetwork": SUBNETWORK}


class DescriptionError(RefusedInputError):
    """A file does not hold the description of one cluster."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field that the next `up` would change. `replaces`: GKE cannot change it, so the resource would be replaced."""

    resource: str
    field: str
    now: Any
    planned: Any
    replaces: bool

    def __str__(self) -> str:
        effect = "REPLACES it" if self.replaces else "changes it in place"
        return f"{self.resource} {self.field}: is {_text(self.now)}, planned {_text(self.planned)}; `up` {effect}"


def read_description(path: Path) -> Mapping[str, Any]:
    """The cluster of a file, as YAML or JSON. Raises DescriptionError."""
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DescriptionError(f"{path} is not valid YAML: {yaml_fault(error)}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DescriptionError(f"{path} cannot be read: {error}") from error
    pools = document.get("nodePools") if isinstance(document, Mapping) else None
    if not isinstance(pools, list) or not all(isinstance(pool, Mapping) for pool in pools):
        raise DescriptionError(
            f"{path} does not describe a cluster. Write it with: gcloud container clusters describe NAME"
            " --location LOCATION --format=yaml"
        )
    described: Mapping[str, Any] = document
    return described


def missing_pools(graph: Graph, described: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the stack's node pools that the cluster does not have."""
    existing = {pool.get("name") for pool in described.get("nodePools") or ()}
    return tuple(str(pool["name"]) for pool in graph.by_type(NODE_POOL) if pool["name"] not in existing)


def differences(graph: Graph, described: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Fields of the cluster and its node pools that the next `up` would change."""
    result: list[Difference] = []
    pools = {pool.get("name"): pool for pool in described.get("nodePools") or ()}
    for cluster in graph.by_type(CLUSTER):
        if not cluster.read:
            result += _differences(cluster, described, _FIELDS["cluster"])
            result += _name(cluster, described)
            result += _networks(cluster, described, graph)
    for pool in graph.by_type(NODE_POOL):
        if pool["name"] in pools:
            result += _differences(pool, pools[pool["name"]], _FIELDS["pool"])
            result += _accelerators(pool, pools[pool["name"]])
    return tuple(result)


def _differences(resource: Recorded, described: Mapping[str, Any], fields: Mapping[str, str]) -> Iterator[Difference]:
    for field, api_field in fields.items():
        planned, now = value_at(resource.inputs, *field.split(".")), value_at(described, *api_field.split("."))
        # What the program leaves out, the provider takes over from Google.
        if planned is None or contains_unknown(planned) or _same(now, planned):
            continue
        yield _difference(resource, field, now, planned)


def _difference(resource: Recorded, field: str, now: Any, planned: Any) -> Difference:
    path = tuple(field.split("."))
    replaces = google_types()[resource.type].replaces(path, _nested(path, now), resource.inputs)
    return Difference(resource=_title(resource), field=field, now=now, planned=planned, replaces=replaces)


def _name(cluster: Recorded, described: Mapping[str, Any]) -> Iterator[Difference]:
    if described.get("name") != cluster["name"]:
        yield Difference(
            resource=_title(cluster), field="name", now=described.get("name"), planned=cluster["name"], replaces=True
        )


def _networks(cluster: Recorded, described: Mapping[str, Any], graph: Graph) -> Iterator[Difference]:
    """Compare network and subnet by their last part: the API answers with names or with whole links."""
    for field, kind in _NETWORK.items():
        planned, now = cluster.inputs.get(field), described.get(field)
        if isinstance(planned, Unknown):
            created = (graph[urn] for urn in cluster.property_dependencies.get(field, ()))
            planned = next((resource["name"] for resource in created if resource.type == kind), None)
        if planned is not None and _last(now) != _last(planned):
            yield Difference(
                resource=_title(cluster), field=field, now=_last(now), planned=_last(planned), replaces=True
            )


def _accelerators(pool: Recorded, described: Mapping[str, Any]) -> Iterator[Difference]:
    planned = [
        (entry.get("type"), int(entry.get("count", 0)))
        for entry in value_at(pool.inputs, "nodeConfig", "guestAccelerators") or ()
    ]
    now = [
        (entry.get("acceleratorType"), int(entry.get("acceleratorCount") or 0))
        for entry in value_at(described, "config", "accelerators") or ()
    ]
    if planned and planned != now:
        yield Difference(
            resource=_title(pool),
            field="nodeConfig.guestAccelerators",
            now=", ".join(f"{count} x {name}" for name, count in now) or None,
            planned=", ".join(f"{count} x {name}" for name, count in planned),
            replaces=True,
        )


def _title(resource: Recorded) -> str:
    return f"{resource.type.rpartition(':')[2]} {resource['name']}"


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def _same(now: Any, planned: Any) -> bool:
    """Whether a value of Google's answer equals the planned one. The API leaves out false, zero and empty values."""
    if isinstance(planned, Mapping):
        return {str(key): str(value) for key, value in (now or {}).items()} == {
            str(key): str(value) for key, value in planned.items()
        }
    if isinstance(planned, list | tuple):
        return sorted(map(str, now or ())) == sorted(map(str, planned))
    if isinstance(planned, bool) or not planned:
        return bool(now) == bool(planned)
    if isinstance(planned, int | float):
        return float(now or 0) == float(planned)
    return str(now) == str(planned)


def _last(link: object) -> str:
    return str(link or "").rpartition("/")[2]


def _text(value: Any) -> str:
    return "not set" if value is None else str(value)
