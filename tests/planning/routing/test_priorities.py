"""Priorities of clients: InferenceObjectives, their kind, and the queue in the picker's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.maintenance.conformance.programs import binary, refusal
from llm_d_gke.maintenance.conformance.rendered import Rendered
from tests.planning.routing.test_edge import KEY, SECOND_KEY, TLS
from tests.stacks import graph_of, plan_of

OBJECTIVE = "kubernetes:inference.networking.x-k8s.io/v1alpha2:InferenceObjective"
DEFINITION = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
CHANGES: dict[str, Any] = {
    "gateway": {
        "implementation": "istio",
        "tls": TLS,
        "auth": {"kind": "api-keys"},
        "priorities": {"batch": -5, "search": 10},
    },
    "picker": {"flowControl": True},
    "apiKeys": {"search.one": KEY, "batch.one": SECOND_KEY},
    "acknowledge": None,
}


@pytest.mark.parametrize("deployment", ["direct", "kserve"])
def test_each_client_has_an_objective_of_its_name_in_the_pool(deployment: str) -> None:
    changes = CHANGES | {"deployment": deployment}
    pool = plan_of("gpu", changes).models[0].pool.name
    specs = {item["metadata"]["name"]: item["spec"] for item in graph_of("gpu", changes).by_type(OBJECTIVE)}
    reference = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": pool}
    assert specs == {
        "batch": {"poolRef": reference, "priority": -5},
        "search": {"poolRef": reference, "priority": 10},
    }


@pytest.mark.parametrize("release", ["llm-d-0.10", "llm-d-0.9", "llm-d-0.6", "llm-d-0.4", "gaie-1.5"])
def test_a_client_below_the_others_needs_no_queue(release: str) -> None:
    """Any picker refuses its requests while all replicas are busy."""
    changes = CHANGES | {"gateway.priorities": {"batch": -5}, "picker": None, "release": release}
    [model] = plan_of("gpu", changes).models
    assert [(objective.name, objective.priority) for objective in model.pool.objectives] == [("batch", -5)]
    assert "flowControl" not in model.picker.config


def test_the_kind_is_there_before_pickers_look_for_it() -> None:
    """A picker looks once, when it starts. KServe's chart has the kind."""
    graph = graph_of("gpu", CHANGES)
    kind = graph.one(DEFINITION)
    assert kind["metadata"]["name"] == "inferenceobjectives.inference.networking.x-k8s.io"
    picker = graph.one("kubernetes:apps/v1:Deployment", "gemma-2b-it-epp")
    assert graph.depends(picker, kind)
    assert not graph_of("gpu", CHANGES | {"deployment": "kserve"}).by_type(DEFINITION)


def test_the_first_priority_starts_pickers_again() -> None:
    """A running picker that found no such kind at its start would take every client for its equals."""
    queue = {"gateway.priorities": None}
    before, first, second = (
        plan_of("gpu", CHANGES | changes).models[0].picker.pod.annotations
        for changes in (queue, {}, {"gateway.priorities": {"batch": -7}})
    )
    assert before != first == second


@pytest.mark.parametrize("release", ["llm-d-0.9", "llm-d-0.6", "gaie-1.5"])
@pytest.mark.parametrize("stack", ["gpu", "disaggregated-gpu"])
def test_clients_take_turns_in_the_queue(stack: str, release: str) -> None:
    if (stack, release) == ("disaggregated-gpu", "gaie-1.5"):
        pytest.skip("the release does not disaggregate")
    config = plan_of(stack, {"picker.flowControl": True, "picker.release": release}).models[0].picker.config
    assert "flowControl" in config["featureGates"]
    band = config["flowControl"]["defaultPriorityBand"]
    assert band == {"fairnessPolicyRef": "round-robin-fairness-policy"}
    assert {"type": "round-robin-fairness-policy"} in config["plugins"]


def test_without_the_setting_nothing_waits() -> None:
    config = plan_of("gpu").models[0].picker.config
    assert "featureGates" not in config
    assert "flowControl" not in config


@pytest.mark.parametrize("release", ["llm-d-0.6", "gaie-1.5"])
def test_the_real_picker_takes_the_queue_and_knows_its_policy(release: str, tmp_path: Path) -> None:
    picker = plan_of("gpu", {"picker.flowControl": True, "picker.release": release}).models[0].picker
    executable = binary(picker.pod.image, print)
    assert executable is not None
    assert refusal(executable, picker.pod.image, Rendered(picker.pod.args, picker.config), tmp_path) is None
    other = {**picker.config, "flowControl": {"defaultPriorityBand": {"fairnessPolicyRef": "none-of-its-own"}}}
    message = refusal(executable, picker.pod.image, Rendered(picker.pod.args, other), tmp_path)
    assert message is not None
    assert 'no fairness policy registered for name "none-of-its-own"' in message


def test_a_number_of_requests_in_progress_decides_in_place_of_metrics() -> None:
    changes = {"picker.flowControl": True, "picker.maxConcurrency": 8, "picker.release": "llm-d-0.9"}
    config = plan_of("gpu", changes).models[0].picker.config
    assert config["flowControl"]["saturationDetector"] == {"pluginRef": "concurrency-detector"}
    assert {"type": "concurrency-detector", "parameters": {"maxConcurrency": 8}} in config["plugins"]
