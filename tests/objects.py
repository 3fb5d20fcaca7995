"""Questions about the Kubernetes objects of a recorded graph, as the API server would get them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects

Object = dict[str, Any]


def of_kind(graph: Graph, kind: str, name: str | None = None) -> list[Object]:
    return [
        body
        for body in kubernetes_objects(graph)
        if body["kind"] == kind and (name is None or body["metadata"]["name"] == name)
    ]


def one(graph: Graph, kind: str, name: str | None = None) -> Object:
    """The only object of a kind (and name)."""
    [body] = of_kind(graph, kind, name)
    return body


def pods(graph: Graph) -> dict[str, Object]:
    """Every pod template by the name of its Deployment."""
    return {body["metadata"]["name"]: body["spec"]["template"] for body in of_kind(graph, "Deployment")}


def container(template: Object) -> Object:
    """The only container of a pod template."""
    [engine] = template["spec"]["containers"]
    return dict(engine)


def selects(selector: Mapping[str, str], template: Object) -> bool:
    labels: Mapping[str, str] = template["metadata"]["labels"]
    return selector.items() <= labels.items()


def texts(value: object) -> Iterator[str]:
    """Every text anywhere in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
