"""Changes of a running stack: an object that both states have is one resource, so that it is not created twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.kubernetes import kubernetes_object
from tests.planning.refusals.autoscaling import scaled
from tests.stacks import FLEET_CONFIG, graph_of

TLS = {"implementation": "istio", "tls": {"kind": "cert-manager"}, "hostname": "a.example.com"}
# States between which a stack can change, as changes of stack gpu.
STATES: tuple[Mapping[str, Any], ...] = (
    {},
    FLEET_CONFIG,
    {"deployment": "kserve", **scaled(maximum=2)},
    {"pattern": "prefix-cache", "models[0].replicas": 2, "picker.replicas": 2},
    {"release": "llm-d-0.6", "gateway": TLS},
)
NAMES = ("name", "accountId", "service", "role", "member", "secretId")


def identities(graph: Graph) -> Iterator[tuple[str, str]]:
    """What exists once by its kind and names, and the URN of it under the oldest name of its component."""
    renamed = {
        component.type: min(component.type, str(alias["type"]))
        for component in graph
        for alias in component.options.aliases
        if isinstance(alias, Mapping)
    }
    for resource in graph:
        urn = resource.urn
        for token, oldest in renamed.items():
            urn = urn.replace(f"{token}$", f"{oldest}$")
        body = kubernetes_object(resource)
        if body is not None:
            about = body["metadata"]
            assert isinstance(about, dict)
            yield f"{body['kind']} {about.get('namespace', '')}/{about['name']}", urn
            continue
        names = [resource.inputs.get(key) for key in NAMES]
        # Google chooses the name of what has none.
        if resource.type.startswith("gcp:") and not resource.read and any(names):
            yield f"{resource.type} {names}", urn


def test_no_object_is_two_resources() -> None:
    urns = defaultdict(set)
    for changes in STATES:
        for identity, urn in identities(graph_of("gpu", changes)):
            urns[identity].add(urn)
    assert len(urns) > 100
    assert {identity: several for identity, several in urns.items() if len(several) > 1} == {}
