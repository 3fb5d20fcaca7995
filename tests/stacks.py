"""The project's own stack files as tests run them: with a project, a token, and what a test changes."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping
from typing import Any

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning import StackPlan, plan_raw
from llm_d_gke.resource_graph import Graph, record
from llm_d_gke.resource_graph.stack_program import settings_config
from llm_d_gke.stackfile import PROJECT_ROOT, stack_file

STACKS = ("gpu", "tpu")
PROJECT = "golden-project"
TOKEN = "hf_golden_token"
PASSWORD = "a-registry-password"
NAMESPACE = "llm-d"

# Changes that several tests look at, so that each is recorded only once.
OTHER_VALUES: dict[str, Any] = {
    "models[0].maxModelLen": 1024,
    "models[0].gpuMemoryUtilization": 0.7,
    "models[0].image": "vllm/vllm-openai:v0.25.0",
    "gateway.timeoutSeconds": 1234,
    "accelerator.nodes.max": 2,
    "huggingFace.token": "hf_another",
}
OTHER_SCORER: dict[str, Any] = {"picker.scorers.queue": 5}
PAUSED: dict[str, Any] = {"paused": True, "accelerator.nodes": {"min": 1, "max": 3}}
ALL_THERE: dict[str, Any] = {"namespace.existing": True, "huggingFace": {"existingSecret": "mine"}}

# For tests that acknowledge other findings beside the one of every example.
OPEN: dict[str, str] = {"id": "LLMD-GATEWAY-OPEN", "reason": "a trial"}

# Queued nodes, for which Kueue makes the requests.
KUEUE: dict[str, str] = {"id": "LLMD-QUEUED-REQUEST", "reason": "Kueue makes the requests"}

# Top-level keys that hold secrets, as Pulumi tells the program when they came encrypted.
ENCRYPTED = frozenset({"huggingFace", "registry", "apiKeys"})


def values_of(stack: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Configuration of a stack file by top-level key, changed by path: `models[0].replicas` or `cluster.version`."""
    document = read_yaml(stack_file(PROJECT_ROOT, stack))
    values: dict[str, Any] = {key.removeprefix(f"{NAMESPACE}:"): value for key, value in document["config"].items()}
    values |= {"project": PROJECT, "huggingFace": {"token": TOKEN}}
    for path, value in (changes or {}).items():
        _put(values, path, copy.deepcopy(value))
    return values


def plan_of(stack: str, changes: Mapping[str, Any] | None = None) -> StackPlan:
    return plan_raw(stack, values_of(stack, changes), ENCRYPTED)


def graph_of(stack: str, changes: Mapping[str, Any] | None = None, *, preview: bool = True) -> Graph:
    """The graph of a changed stack; the same one is recorded only once."""
    return _recorded(stack, json.dumps(changes or {}, sort_keys=True), preview)


@functools.cache
def _recorded(stack: str, changes: str, preview: bool) -> Graph:
    values = values_of(stack, json.loads(changes))
    return record(
        PROJECT_ROOT / "__main__.py",
        stack=stack,
        config=settings_config(values, ENCRYPTED),
        preview=preview,
    )


def _put(values: dict[str, Any], path: str, value: object) -> None:
    """Set a value by its path; None removes it."""
    *parents, last = path.replace("[", ".").replace("]", "").split(".")
    target: Any = values
    for part in parents:
        target = target[int(part)] if isinstance(target, list) else target.setdefault(part, {})
    if value is None:
        target.pop(last, None)
    elif isinstance(target, list):
        target[int(last)] = value
    else:
        target[last] = value


# Settings of a stack in an existing cluster of an existing network.
EXISTING_NETWORK: Mapping[str, Any] = {
    "network": "shared",
    "subnetwork": "nodes",
    "podRange": "pods",
    "serviceRange": "services",
    "nat": True,
}


# Two stacks behind one multi-cluster Gateway, as changes of stack gpu.
FLEET_RANGES = {"us-central1": "192.168.64.0/23", "europe-west4": "192.168.66.0/23"}
FLEET_CONFIG: dict[str, Any] = {
    "fleet": {"role": "config", "proxyCidrs": FLEET_RANGES},
    "network.proxyCidr": FLEET_RANGES["us-central1"],
    "gateway": {"exposure": "internal"},
    "acknowledge": [],
}
FLEET_MEMBER: dict[str, Any] = FLEET_CONFIG | {
    "fleet": {"role": "member", "proxyCidrs": FLEET_RANGES},
    "location": "europe-west4-a",
    "accelerator.type": "nvidia-l4",
    "network.existing": dict(EXISTING_NETWORK),
    "network.proxyCidr": FLEET_RANGES["europe-west4"],
}


def sharing_nodes(*gpus: int, most: int) -> dict[str, Any]:
    """Models on these numbers of GPUs, in a pool of `most` nodes with four T4."""
    accelerator = {"type": "nvidia-tesla-t4", "machineType": "n1-standard-32", "perNode": 4}
    model = {"id": "google/gemma-2b-it", "dtype": "half", "maxModelLen": 2048, "gpuMemoryUtilization": 0.85}
    return {
        "accelerator": {**accelerator, "nodes": {"min": 0, "max": most}},
        "models": [
            # Three GPUs share no layer of this model, but may have a third of the layers each.
            {**model, "servedName": f"model-{number}", "tensorParallel": 1, "pipelineParallel": 3}
            if count == 3
            else {**model, "servedName": f"model-{number}", "tensorParallel": count}
            for number, count in enumerate(gpus)
        ],
    }


def existing_cluster(version: str = "1.35.1-gke.1000000") -> dict[str, Any]:
    return {"cluster.existing": {"name": "shared", "version": version}, "network.existing": dict(EXISTING_NETWORK)}
