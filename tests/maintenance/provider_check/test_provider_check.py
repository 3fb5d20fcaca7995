"""The check by a provider, against a provider that refuses, and a plugin that does not start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderStub

from llm_d_gke.maintenance.provider_check import PluginError, Problem, __main__, plugin, problems
from llm_d_gke.rehearsal.providers.base import Provider, serve
from llm_d_gke.rehearsal.providers.properties import Properties
from llm_d_gke.rehearsal.providers.requests import CheckRequest, Created, CreateRequest, Invalid, Refused
from tests.stacks import graph_of

ROUTER = "gcp:compute/router:Router"
NAT = "gcp:compute/routerNat:RouterNat"
NODE_POOL = "gcp:container/nodePool:NodePool"


class Strict(Provider):
    """Refuses routers in Check, fails on NATs there, and refuses node pools in a preview."""

    name = "gcp"

    def __init__(self) -> None:
        super().__init__()
        self.checked: list[str] = []
        self.configured: list[Properties] = []

    def configure(self, config: Properties) -> None:
        self.configured.append(config)

    def check(self, request: CheckRequest) -> Properties:
        self.checked.append(request.type)
        if request.type == ROUTER:
            raise Invalid(("bgp.asn", "is not a private number"))
        if request.type == NAT:
            raise Refused("invalid syntax")
        return {**request.news, "checked": True}

    def create(self, request: CreateRequest) -> Created:
        assert request.preview
        assert request.inputs["checked"]
        if request.type == NODE_POOL:
            raise Refused("spot and flexStart exclude each other")
        return Created("", request.inputs)


@pytest.fixture
def strict() -> Iterator[tuple[Strict, ResourceProviderStub]]:
    provider = Strict()
    with serve(provider) as server, grpc.insecure_channel(f"127.0.0.1:{server}") as channel:
        yield provider, ResourceProviderStub(channel)


@pytest.mark.parametrize("preview", [True, False])
def test_every_refusal_is_reported(strict: tuple[Strict, ResourceProviderStub], preview: bool) -> None:
    provider, stub = strict
    graph = graph_of("gpu", preview=preview)
    pools = [
        Problem(NODE_POOL, pool.name, "", "spot and flexStart exclude each other") for pool in graph.by_type(NODE_POOL)
    ]
    [router], [nat] = graph.by_type(ROUTER), graph.by_type(NAT)
    refused = problems(graph, stub)
    assert len(pools) > 1
    assert sorted(refused, key=str) == sorted(
        [
            *pools,
            Problem(ROUTER, router.name, "bgp.asn", "is not a private number"),
            Problem(NAT, nat.name, "", "invalid syntax"),
        ],
        key=str,
    )
    # All resources of Google Cloud, and nothing of Kubernetes.
    assert sorted(provider.checked) == sorted(resource.type for resource in graph if resource.type.startswith("gcp:"))
    [configured] = provider.configured
    assert configured["project"] == "golden-project"


def test_a_plugin_that_does_not_start_says_why(tmp_path: Path) -> None:
    binary = tmp_path / "pulumi-resource-gcp"
    binary.write_text("#!/bin/sh\necho no such library >&2\nexit 1\n", encoding="utf-8")
    binary.chmod(0o755)
    with pytest.raises(PluginError, match="no such library"), plugin(binary):
        pass
    with pytest.raises(PluginError, match="cannot be run"), plugin(tmp_path / "absent"):
        pass


def test_every_release_and_deployment_that_planning_accepts_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of("gpu")
    monkeypatch.setattr(__main__, "record_stack", lambda *_, **__: graph)
    checked = {name for name, _ in __main__._on_every_release(["gpu"], {"llm-d:models[0].replicas": "1"})}
    assert {"gpu (llm-d-0.9, direct)", "gpu (llm-d-0.9, kserve)", "gpu (gaie-1.5, direct)"} <= checked
    # Red Hat's images need an account, which the stack does not have.
    assert not any("rhaiis" in name for name in checked)
