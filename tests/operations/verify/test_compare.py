"""Planned objects against live ones: what the API server adds or rewrites is no difference, anything else is."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.operations.verify.checks.objects import differences

DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "a", "annotations": {"checksum/hugging-face-token": "of a substitute"}},
    "spec": {
        "replicas": 2,
        "paused": False,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "vllm",
                        "args": ["--port", "8000"],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": ""}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
                    }
                ]
            }
        },
    },
}


def live(**changes: Any) -> dict[str, Any]:
    """The object as an API server returns it: defaults added, quantities in canonical form."""
    container = {
        "name": "vllm",
        "args": ["--port", "8000"],
        "env": [{"name": "B"}, {"name": "A", "value": "1"}],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "imagePullPolicy": "IfNotPresent",
    } | changes.pop("container", {})
    spec = {"replicas": 2, "template": {"spec": {"containers": [{"name": "injected"}, container]}}} | changes
    return {"kind": "Deployment", "metadata": {"name": "a", "uid": "u", "annotations": {}}, "spec": spec}


def test_defaults_order_and_quantities_are_no_difference() -> None:
    assert list(differences(DEPLOYMENT, live())) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"replicas": 3}, "spec.replicas is 3, planned 2"),
        ({"paused": True}, "spec.paused is True, planned False"),
        (
            {"container": {"args": ["--port", "8001"]}},
            "spec.template.spec.containers[vllm].args[1] is '8001', planned '8000'",
        ),
        ({"container": {"args": ["--port"]}}, "spec.template.spec.containers[vllm].args has 1 entries, planned 2"),
        ({"container": {"name": "other"}}, "spec.template.spec.containers lacks vllm"),
        (
            {"container": {"resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}},
            "spec.template.spec.containers[vllm].resources.limits.cpu is '2', planned '1000m'",
        ),
        ({"container": {"env": [{"name": "A", "value": "1"}]}}, "spec.template.spec.containers[vllm].env lacks B"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value)[:40],
)
def test_a_changed_field_is_named(changed: dict[str, Any], sentence: str) -> None:
    assert sentence in list(differences(DEPLOYMENT, live(**changed)))


def test_what_the_plan_does_not_know_is_not_compared() -> None:
    planned = {"kind": "ConfigMap", "data": {"address": "[unknown]", "port": "80"}}
    assert list(differences(planned, {"kind": "ConfigMap", "data": {"address": "10.0.0.1", "port": "80"}})) == []


def test_of_a_secret_only_the_keys_are_compared() -> None:
    planned = {"kind": "Secret", "stringData": {"token": "[secret]", "HF_TOKEN": "[secret]"}}
    assert list(differences(planned, {"kind": "Secret", "data": {"token": "aGY=", "HF_TOKEN": "aGY="}})) == []
    assert list(differences(planned, {"kind": "Secret", "data": {"token": "aGY="}})) == ["data lacks HF_TOKEN"]
