"""Secrets stay marked as secret from the settings to the provider, and are written nowhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from llm_d_gke.resource_graph import Graph, Secret
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from llm_d_gke.resource_graph.rendering import render
from tests.objects import texts
from tests.stacks import PASSWORD, TOKEN, graph_of

REGISTRY = {"registry": {"server": "registry.example.com", "username": "robot", "password": PASSWORD}}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


AUTH = encoded(f"robot:{PASSWORD}")
CONFIG = {"registry.example.com": {"username": "robot", "password": PASSWORD, "auth": AUTH}}
# The configuration of a registry's client is a secret in base64 as a whole.
SECRETS = (TOKEN, PASSWORD, AUTH, encoded(TOKEN), encoded(json.dumps({"auths": CONFIG})))


@pytest.fixture(scope="module", params=[True, False], ids=["preview", "up"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """A stack that has both secrets, before and after its resources exist."""
    return graph_of("gpu", REGISTRY, preview=request.param)


def marked(value: object) -> Iterator[object]:
    """The values behind the secret marks anywhere in a value."""
    if isinstance(value, Secret):
        yield value.value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from marked(item)
    elif isinstance(value, list):
        for item in value:
            yield from marked(item)


def test_the_secrets_arrive(graph: Graph) -> None:
    """Else the tests below would pass on a stack without any."""
    behind = {text for resource in graph for value in marked(resource.inputs) for text in texts(value)}
    assert encoded(TOKEN) in behind
    assert encoded(json.dumps({"auths": CONFIG})) in behind


def test_nothing_secret_is_in_plain_sight(graph: Graph) -> None:
    """`texts` skips marked values: anything it returns would be in the state in plain text."""
    seen = list(texts([[resource.inputs for resource in graph], graph.outputs, graph.component_outputs]))
    seen += [message.text for message in graph.messages]
    assert [text for text in seen for secret in SECRETS if secret in text] == []


def test_nothing_secret_is_rendered(graph: Graph, tmp_path: Path) -> None:
    render(graph, tmp_path)
    written = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file()}
    assert len(written) > 10
    assert [str(path) for path, text in written.items() for secret in SECRETS if secret in text] == []


def test_no_container_gets_a_token_in_its_environment(graph: Graph) -> None:
    """It would show in every `kubectl describe`; the engine reads a file instead."""
    for body in kubernetes_objects(graph):
        if body["kind"] == "Deployment":
            for variable in body["spec"]["template"]["spec"]["containers"][0]["env"]:
                assert "secretKeyRef" not in variable.get("valueFrom", {}), variable


def test_a_secret_manager_secret_is_never_a_kubernetes_one() -> None:
    graph = graph_of("gpu", {"huggingFace": {"secretManagerSecret": "hf"}})
    # The one Secret left is filled by Kubernetes itself.
    assert [secret["type"] for secret in graph.by_type("kubernetes:core/v1:Secret")] == [
        "kubernetes.io/service-account-token"
    ]
    provider = graph.one("kubernetes:secrets-store.csi.x-k8s.io/v1:SecretProviderClass")
    assert "secrets/hf/versions" in provider["spec"]["parameters"]["secrets"]
