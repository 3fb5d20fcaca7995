"""A preview of a running stack lists each changed resource with the values that differ."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from llm_d_gke.rehearsal.terminal.planned_changes import PlannedChanges, announced

ARGS = "spec.template.spec.containers[0].args[1]"
NOTE = 'metadata.annotations["example.com/note"]'


def pod(length: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"args": ["--max-model-len", length]}]}}}}


def listed(operation: str, kind: str = "kubernetes:apps/v1:Deployment", **states: Any) -> list[str]:
    return list(recorded(operation, kind, **states).lines())


def recorded(operation: str, kind: str = "kubernetes:apps/v1:Deployment", **states: Any) -> PlannedChanges:
    return collected(event(operation, kind, **states))


def collected(step: EngineEvent) -> PlannedChanges:
    changes = PlannedChanges()
    changes.take(step)
    return changes


def event(operation: str, kind: str = "kubernetes:apps/v1:Deployment", **states: Any) -> EngineEvent:
    """One step, in the engine's own JSON."""
    urn = f"urn:pulumi:gpu::llm-d::{kind}::one"
    state = {"type": kind, "urn": urn}
    metadata: dict[str, Any] = {"op": operation, "urn": urn, "type": kind, "provider": ""}
    metadata |= {name: {**state, **states[name]} for name in ("old", "new") if name in states}
    metadata |= {name: states[name] for name in ("detailedDiff", "diffs") if name in states}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, "resourcePreEvent": {"metadata": metadata}})


def differing(*paths: str) -> dict[str, Any]:
    return {path: {"diffKind": "update", "inputDiff": True} for path in paths}


def test_a_changed_value_stands_with_the_one_before() -> None:
    old, new = {"inputs": pod("2048")}, {"inputs": pod("1024")}
    assert listed("update", old=old, new=new, detailedDiff=differing(ARGS)) == [
        f"~ Deployment one: {ARGS} 2048 -> 1024"
    ]
    old, new = {"inputs": {}}, {"inputs": {"metadata": {"annotations": {"example.com/note": "x" * 60}}}}
    assert listed("replace", old=old, new=new, detailedDiff=differing(NOTE)) == [
        f"+- Deployment one: {NOTE} (none) -> {'x' * 37}..."
    ]


def test_an_added_argument_is_the_only_change_of_its_list() -> None:
    before, after = ["serve", "--port", "8000"], ["serve", "--gpu-memory-utilization", "0.85", "--port", "8000"]
    containers = [{"inputs": {"spec": {"args": args}}} for args in (before, after)]
    paths = differing(*(f"spec.args[{index}]" for index in range(1, 5)))
    assert listed("update", old=containers[0], new=containers[1], detailedDiff=paths) == [
        "~ Deployment one: spec.args[1] (none) -> --gpu-memory-utilization 0.85"
    ]
    assert listed("update", old=containers[1], new=containers[0], detailedDiff=paths) == [
        "~ Deployment one: spec.args[1] --gpu-memory-utilization 0.85 -> (none)"
    ]


@pytest.mark.parametrize(
    ("replicas", "surge", "path", "ends_first"),
    [
        (1, 0, ARGS, True),
        (1, 1, ARGS, False),
        (2, 0, ARGS, False),
        (1, 0, "metadata.labels.owner", False),
    ],
)
def test_an_update_that_ends_the_only_replica_first_says_so(
    replicas: int, surge: int, path: str, ends_first: bool
) -> None:
    states = [{"inputs": pod(length)} for length in ("2048", "1024")]
    for state in states:
        state["inputs"]["spec"] |= {"replicas": replicas, "strategy": {"rollingUpdate": {"maxSurge": surge}}}
    step = event("update", old=states[0], new=states[1], detailedDiff=differing(path))
    outages = list(collected(step).outages())
    assert [outage.startswith("one: no request is answered") for outage in outages] == [True] * ends_first
    # In an update, when it begins.
    lines: list[str] = []
    announced(lines.append)(step)
    assert [" ".join(line.split()) for line in lines] == outages


def test_a_value_that_the_provider_chose_is_that_of_the_resource() -> None:
    old, new = {"inputs": {}, "outputs": {"spec": {"replicas": 1}}}, {"inputs": {"spec": {"replicas": 2}}}
    assert listed("update", old=old, new=new, detailedDiff=differing("spec.replicas")) == [
        "~ Deployment one: spec.replicas 1 -> 2"
    ]


def test_many_values_are_counted() -> None:
    paths = [f"data.key{number}" for number in range(7)]
    old = {"inputs": {"data": {f"key{number}": "a" for number in range(7)}}}
    [line] = listed(
        "update", "kubernetes:core/v1:ConfigMap", old=old, new={"inputs": {}}, detailedDiff=differing(*paths)
    )
    assert line.startswith("~ ConfigMap one: data.key0 a -> (none), ")
    assert line.endswith(", data.key3 a -> (none), and 3 more")


@pytest.mark.parametrize(
    ("operation", "kind", "expected"),
    [
        ("create", "gcp:container/nodePool:NodePool", ["+ NodePool one"]),
        ("delete", "kubernetes:core/v1:Service", ["- Service one"]),
        ("same", "kubernetes:core/v1:Service", []),
        ("create-replacement", "kubernetes:core/v1:Service", []),
        ("delete-replaced", "kubernetes:core/v1:Service", []),
        ("create", "llm-d:inference:ModelServer", []),
        ("update", "pulumi:pulumi:Stack", []),
    ],
)
def test_a_resource_that_comes_or_goes_has_its_name_only(operation: str, kind: str, expected: list[str]) -> None:
    assert listed(operation, kind, old={"inputs": pod("1")}, new={"inputs": pod("2")}) == expected


def test_without_paths_the_names_of_the_inputs_are_listed() -> None:
    assert listed("update", "gcp:container/nodePool:NodePool", diffs=["autoscaling"]) == ["~ NodePool one: autoscaling"]
