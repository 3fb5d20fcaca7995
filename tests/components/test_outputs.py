"""The outputs of `up`."""

from __future__ import annotations

import json
import shlex

import pytest

from llm_d_gke.resource_graph import Graph
from tests.stacks import PROJECT, graph_of


@pytest.fixture(scope="module", params=["gpu", "tpu"])
def done(request: pytest.FixtureRequest) -> Graph:
    return graph_of(request.param, preview=False)


def test_every_output_is_there(done: Graph) -> None:
    assert set(done.outputs) == {
        "capacity",
        "endpoint",
        "gatewayAddress",
        "models",
        "clusterName",
        "getCredentials",
        "curl",
        "hourlyCost",
    }


def test_the_curl_line_asks_the_first_model(done: Graph) -> None:
    command = shlex.split(done.outputs["curl"])
    assert command[0] == "curl"
    assert f"{done.outputs['endpoint']}/v1/chat/completions" in command
    body = json.loads(command[command.index("-d") + 1])
    assert body["model"] == done.outputs["models"][0]
    assert body["messages"][0]["role"] == "user"


@pytest.mark.parametrize(
    "auth",
    [
        {"kind": "api-keys", "existingSecret": "mine"},
        {
            "kind": "jwt",
            "issuer": "https://id.example.com",
            "jwksUri": "https://id.example.com/k",
            "audiences": ["llm"],
        },
    ],
)
def test_the_curl_line_takes_a_key_or_a_token_from_the_shell(auth: dict[str, object]) -> None:
    gateway = {"implementation": "istio", "exposure": "internal", "auth": auth}
    line = graph_of("gpu", {"gateway": gateway, "acknowledge": []}, preview=False).outputs["curl"]
    assert ' -H "authorization: Bearer $LLM_D_KEY" -d ' in line


def test_the_endpoint_is_the_reserved_address(done: Graph) -> None:
    assert done.outputs["endpoint"] == f"http://{done.outputs['gatewayAddress']}"


def test_the_credentials_line_names_the_cluster(done: Graph) -> None:
    cluster = done.one("gcp:container/cluster:Cluster")
    assert shlex.split(done.outputs["getCredentials"]) == [
        *("gcloud", "container", "clusters", "get-credentials", cluster["name"]),
        *("--location", cluster["location"], "--project", PROJECT, "--dns-endpoint"),
    ]


def test_the_cost_is_the_sum_of_its_parts(done: Graph) -> None:
    cost = done.outputs["hourlyCost"]
    assert cost["running"] == cost["idle"] > cost["paused"] > 0
    known_parts = {name: part for name, part in cost["parts"].items() if part is not None}
    assert cost["running"] == pytest.approx(sum(known_parts.values()), abs=1e-3)
    assert list(cost["parts"].keys() - known_parts.keys()) == cost.get("withoutPricesOf", [])
    assert cost["pricesOf"]


def test_capacity_and_cost_are_estimates_of_a_stated_load(done: Graph) -> None:
    (capacity,) = done.outputs["capacity"].values()
    assert capacity["estimate"]["requestsPerSecond"] > 0
    # Of tokens per second, nine of ten published measurements held against it: docs/speed.md.
    assert capacity["estimate"]["error"] in ("36%", "43%")
    assert capacity["estimate"]["of"] == done.outputs["hourlyCost"]["perMillion"]["of"]
