"""Finds model servers in other kinds of objects with pod templates, such as DisaggregatedSet and Dynamo's graphs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from llm_d_gke.nested import value_at
from llm_d_gke.operations.adopt_manifests.pods import read_pod
from llm_d_gke.operations.adopt_manifests.servers import Json, Role, Server, int_or, listing, mapping

# Keys whose number multiplies the pods below them (DisaggregatedSet of LWS 0.11 has slices).
_COUNTS = ("replicas", "slices")
# Keys of a part that may name its role, in the order in which they count.
_ROLE_KEYS = ("subComponentType", "componentType", "type", "role", "name")


@dataclass(frozen=True, kw_only=True)
class _Place:
    """What the maps above a pod say about it."""

    replicas: int = 1
    role: Role | None = None
    hosts: int = 1
    name: str | None = None


def nested_servers(document: Json, origin: str) -> list[Server]:
    """Servers of every pod template in an object that runs vLLM. The first one lists the other templates."""
    others: list[str] = []
    servers = list(_servers_below(mapping(document, "spec"), _Place(), origin, others))
    if servers and others:
        names = f"parts {', '.join(dict.fromkeys(others))}"
        first = servers[0]
        servers[0] = replace(first, left_out=(*first.left_out, (names, "no container of them runs vLLM")))
    return servers


def role_named(name: Any) -> Role | None:
    """The role that a label or a part's name names; None for any other."""
    text = str(name or "").lower()
    if text in ("prefill", "decode"):
        return "prefill" if text == "prefill" else "decode"
    words = {word for word in ("prefill", "decode") if word in text}
    return None if len(words) != 1 else "prefill" if "prefill" in words else "decode"


def _servers_below(value: Any, place: _Place, origin: str, others: list[str], key: str = "") -> Iterator[Server]:
    """Yields servers below a value, and adds the names of pods that run something else to `others`."""
    if isinstance(value, list):
        for entry in value:
            yield from _servers_below(entry, place, origin, others, key)
    elif isinstance(value, Mapping):
        inherited = _inherited(value, place, key)
        group = mapping(value, "leaderWorkerTemplate")
        pod = _pod(value)
        if group:
            template = mapping(group, "leaderTemplate") or mapping(group, "workerTemplate")
            hosts = int_or(group.get("size"), 1)
            yield from _servers_below({"template": template}, replace(inherited, hosts=hosts), origin, others)
        elif pod is not None:
            more: dict[str, Any] = {"role": inherited.role, "hosts": inherited.hosts}
            where = origin if inherited.name is None else f"{origin} {inherited.name}"
            server = read_pod(pod, origin=where, replicas=inherited.replicas, **more)
            if server is not None:
                yield server
            else:
                others.append(inherited.name or "without a name")
        else:
            for inner_key, inner in value.items():
                yield from _servers_below(inner, inherited, origin, others, str(inner_key))


def _inherited(value: Json, place: _Place, key: str) -> _Place:
    replicas = place.replicas
    for count in _COUNTS:
        if isinstance(value.get(count), int):
            replicas *= value[count]
    labels = mapping(value, "metadata", "labels")
    named = [labels.get("llm-d.ai/role"), *(value.get(name) for name in _ROLE_KEYS), key]
    role = next((role for role in map(role_named, named) if role is not None), place.role)
    own = value.get("name") if isinstance(value.get("name"), str) else None
    nodes = int_or(value_at(value, "multinode", "nodeCount"), 0)
    # A name of a template inside belongs to the container; a part's is beside its number of replicas.
    part = own or key if isinstance(value.get("replicas"), int) else None
    return replace(place, replicas=replicas, role=role, hosts=nodes or place.hosts, name=part or place.name)


def _pod(value: Json) -> Json | None:
    """A PodSpec, also that of Dynamo's v1alpha1, where the container stands alone and its resources beside it."""
    if listing(value, "containers"):
        return value
    main = mapping(value, "extraPodSpec", "mainContainer")
    if not main:
        return None
    gpus = value_at(value, "resources", "limits", "gpu") or value_at(value, "resources", "requests", "gpu")
    resources = {"limits": {"nvidia.com/gpu": gpus}} if gpus else mapping(main, "resources")
    pod = {key: item for key, item in mapping(value, "extraPodSpec").items() if key != "mainContainer"}
    return {**pod, "containers": [{**main, "resources": resources}]}
