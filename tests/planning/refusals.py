"""One wrong stack file for every rule of planning, with the finding it gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from catalog import load
from planning import Finding, RefusedError, plan_raw
from planning.findings import Severity
from settings.model_files import ModelFile
from tests.stacks import ENCRYPTED, values_of

GATED = "google/gemma-2b-it"
GEMMA = json.loads(
    (Path(__file__).parents[1] / "catalog" / "configs" / "google--gemma-2b-it.json").read_text(encoding="utf-8")
)
BROUGHT = {"network": "n", "subnetwork": "s", "podRange": "p", "serviceRange": "q"}


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A change of a stack file, and the finding: its path without namespace, its value, parts of its rule and fix."""

    name: str
    path: str
    value: str
    rule: str
    fix: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    stack: str = "gpu"
    encrypted: frozenset[str] = ENCRYPTED
    severity: Severity = Severity.ERROR
    # Changes of the catalogue, by model: for rules that no model of it breaks.
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    # What was read of models that the stack file describes itself.
    files: Mapping[str, ModelFile] = field(default_factory=dict)

    def findings(self) -> list[Finding]:
        return findings_of(self.stack, self.changes, self.encrypted, self.facts, self.files)


def findings_of(
    stack: str,
    changes: Mapping[str, Any] | None = None,
    encrypted: frozenset[str] = ENCRYPTED,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    files: Mapping[str, ModelFile] | None = None,
) -> list[Finding]:
    """Every finding about a changed stack, warnings included."""
    known = load()
    if facts:
        models = {name: known.models[name].model_copy(update=dict(changed)) for name, changed in facts.items()}
        known = replace(known, models={**known.models, **models})
    try:
        return list(plan_raw(stack, values_of(stack, changes), encrypted, known, files or {}).warnings)
    except RefusedError as refused:
        return list(refused.findings)


def errors_of(
    stack: str, changes: Mapping[str, Any] | None = None, encrypted: frozenset[str] = ENCRYPTED
) -> list[Finding]:
    return [f for f in findings_of(stack, changes, encrypted) if f.severity is Severity.ERROR]


STACK = (
    Wrong(
        name="no project",
        changes={"project": None},
        path="project",
        value="(missing)",
        rule="belongs to a Google Cloud project",
        fix="pulumi config set llm-d:project",
    ),
    Wrong(
        name="unknown release",
        changes={"release": "llm-d-0.1"},
        path="release",
        value="llm-d-0.1",
        rule="no such release",
        fix="llm-d-0.9, llm-d-0.6, gaie-1.5, llm-d-0.4, rhaiis-3.2",
    ),
    Wrong(
        name="two models behind one route",
        changes={
            "models": [
                {"id": "Qwen/Qwen2.5-0.5B-Instruct", "dtype": "half"},
                {"id": "microsoft/phi-2", "dtype": "half"},
            ]
        },
        path="models",
        value="2 models",
        rule="could reach the wrong one",
        fix="one model per stack",
    ),
    Wrong(
        name="no certificate for the internet",
        path="gateway.tls.kind",
        value="none",
        rule="unencrypted",
        fix="set a certificate",
        severity=Severity.WARNING,
    ),
)

PLACE = (
    Wrong(
        name="unknown accelerator",
        changes={"accelerator.type": "nvidia-t4"},
        path="accelerator.type",
        value="nvidia-t4",
        rule="no such accelerator",
        fix="nvidia-tesla-t4",
    ),
    Wrong(
        name="machine type of another accelerator",
        changes={"accelerator.machineType": "g2-standard-4"},
        path="accelerator.machineType",
        value="g2-standard-4",
        rule="T4 does not come with",
        fix="n1-standard-4",
    ),
    Wrong(
        name="unknown machine type",
        changes={"accelerator.machineType": "n1-standard-5"},
        path="accelerator.machineType",
        value="n1-standard-5",
        rule="T4 does not come with",
        fix="n1-standard-4",
    ),
    Wrong(
        name="topology that the machine has not",
        stack="tpu",
        changes={"accelerator.topology": "3x3"},
        path="accelerator.topology",
        value="3x3",
        rule="no such slice topology",
        fix="use one of 2x2, 2x4",
    ),
    Wrong(
        name="topology on GPUs",
        changes={"accelerator.topology": "2x2"},
        path="accelerator.topology",
        value="2x2",
        rule="only TPU slices",
        fix="remove it",
    ),
    Wrong(
        name="chips that the host has not",
        stack="tpu",
        changes={"accelerator.perNode": 2},
        path="accelerator.perNode",
        value="2",
        rule="has 4 TPU chips",
        fix="remove perNode",
    ),
    Wrong(
        name="GPUs that the machine does not take",
        changes={"accelerator.perNode": 3},
        path="accelerator.perNode",
        value="3",
        rule="takes 1 or 2 or 4 T4",
        fix="use 1",
    ),
    Wrong(
        name="zone without the accelerator",
        stack="tpu",
        changes={"location": "us-central1-f"},
        path="location",
        value="us-central1-f",
        rule="is not offered there",
        fix="use one of us-central1-a, us-central1-b",
    ),
    Wrong(
        name="region without the accelerator",
        changes={"location": "europe-north1"},
        path="location",
        value="europe-north1",
        rule="is not offered there",
        fix="use one of asia-east1-a",
    ),
    Wrong(
        name="zone of another region",
        changes={"location": "us-central1", "accelerator.zones": ["us-east1-c"]},
        path="accelerator.zones",
        value="us-east1-c",
        rule="not in the stack's region us-central1",
        fix="use zones of us-central1",
    ),
    Wrong(
        name="zone beside a zonal cluster",
        changes={"accelerator.zones": ["us-central1-b"]},
        path="accelerator.zones",
        value="us-central1-b",
        rule="a zonal cluster in us-central1-a",
        fix="set llm-d:location to us-central1",
    ),
    Wrong(
        name="zone of which the lists say nothing",
        changes={"location": "us-central1-f", "accelerator": {"type": "nvidia-b200", "provisioning": "spot"}},
        path="location",
        value="us-central1-f",
        rule="its list is incomplete",
        fix="us-central1-b",
        severity=Severity.WARNING,
    ),
)

CLUSTER = (
    Wrong(
        name="version before the inference gateway",
        changes={"cluster.version": "1.31.5-gke.1000"},
        path="cluster.version",
        value="1.31.5-gke.1000",
        rule="needs 1.32.3",
        fix="use 1.34",
    ),
    Wrong(
        name="minor version before the inference gateway",
        changes={"cluster.version": "1.31"},
        path="cluster.version",
        value="1.31",
        rule="needs 1.32.3",
        fix="use 1.34",
    ),
    Wrong(
        name="brought cluster before the inference gateway",
        changes={"cluster.existing": {"name": "shared", "version": "1.30.1-gke.1"}},
        path="cluster.existing.version",
        value="1.30.1-gke.1",
        rule="needs 1.32.3",
        fix="use 1.34",
    ),
    Wrong(
        name="version before the accelerator",
        stack="tpu",
        changes={
            "cluster.version": "1.33",
            "location": "us-central1-c",
            "accelerator": {"type": "tpu-v7x", "machineType": "tpu7x-standard-1t"},
            "models[0]": {"id": "google/gemma-2-9b-it"},
        },
        path="cluster.version",
        value="1.33",
        rule="needs GKE 1.34.0-gke.2201000",
        fix="use 1.34.0-gke.2201000",
    ),
    Wrong(
        name="nobody may reach the control plane",
        changes={"cluster.controlPlane": {"access": "authorized-networks"}},
        path="cluster.controlPlane.authorizedNetworks",
        value="[]",
        rule="no range may reach",
        fix="dns-endpoint",
    ),
    Wrong(
        name="ranges for an address that is off",
        changes={"cluster.controlPlane": {"authorizedNetworks": [{"cidr": "203.0.113.0/24", "name": "office"}]}},
        path="cluster.controlPlane.authorizedNetworks",
        value="1 ranges",
        rule="turns off",
        fix="authorized-networks",
    ),
)

NODES = (
    Wrong(
        name="pool too small for the replicas",
        changes={"models[0].replicas": 4},
        path="accelerator.nodes.max",
        value="3",
        rule="4 replicas need 4 n1-standard-4 nodes",
        fix="use 4 or more",
    ),
    Wrong(
        name="picker on a machine with accelerators",
        changes={"cpuPool.machineType": "g2-standard-4"},
        path="cpuPool.machineType",
        value="g2-standard-4",
        rule="without accelerators",
        fix="e2-standard-4",
    ),
    Wrong(
        name="no node for the picker",
        changes={"cpuPool.nodes": {"min": 0, "max": 2}},
        path="cpuPool.nodes.min",
        value="0",
        rule="tainted",
        fix="use 1 or more",
    ),
    Wrong(
        name="disk too small for image and weights",
        changes={"accelerator.diskGib": 50},
        path="accelerator.diskGib",
        value="50",
        rule="image, weights and caches",
        fix="or remove diskGib",
    ),
    Wrong(
        name="spot out of a reservation",
        changes={"accelerator.reservation": "mine", "accelerator.provisioning": "spot"},
        path="accelerator.reservation",
        value="mine",
        rule="spot capacity cannot come from a reservation",
        fix="remove reservation",
    ),
    Wrong(
        name="flex-start nodes that are always there",
        changes={"accelerator.provisioning": "flex-start", "accelerator.nodes.min": 1},
        path="accelerator.nodes.min",
        value="1",
        rule="starts at zero",
        fix="use 0",
    ),
    Wrong(
        name="machine that is not sold on demand",
        changes={"location": "us-central1-b", "accelerator": {"type": "nvidia-h200-141gb"}},
        path="accelerator.provisioning",
        value="on-demand",
        rule="spot, flex-start or reservation only",
        fix="spot or flex-start",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="half a slice more",
        stack="tpu",
        changes={
            "accelerator": {
                "type": "tpu-v6e",
                "machineType": "ct6e-standard-4t",
                "topology": "2x4",
                "nodes": {"max": 3},
            },
            "models[0]": {"id": "Qwen/Qwen3-32B", "tensorParallel": 8},
        },
        path="accelerator.nodes",
        value="0 to 3",
        rule="2x4 slice of ct6e-standard-4t has 2 hosts, all of them or none",
        fix="use multiples of 2",
    ),
)

NETWORK = (
    Wrong(
        name="proxies of an unknown range",
        changes={"network.existing": {**BROUGHT, "proxySubnetwork": "proxies"}},
        path="network.proxyCidr",
        value="(missing)",
        rule="let in the load balancer's proxies by the range of proxies",
        fix="set network.proxyCidr",
    ),
    Wrong(
        name="policies that a brought cluster may not enforce",
        changes={"cluster.existing": {"name": "shared", "version": "1.35.1-gke.1000000"}},
        path="networkPolicies",
        value="cluster shared",
        rule="takes policies and keeps none of them",
        fix="ADVANCED_DATAPATH",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="public range",
        changes={"network.podCidr": "8.8.0.0/16"},
        path="network.podCidr",
        value="8.8.0.0/16",
        rule="not a private range",
        fix="10.0.0.0/8",
    ),
    *(
        Wrong(
            name=f"{key} too small",
            changes={f"network.{key}": cidr},
            path=f"network.{key}",
            value=cidr,
            rule=f"too small: a {least}",
            fix=f"use {cidr.split('/')[0]}/",
        )
        for key, cidr, least in (
            ("nodeCidr", "10.0.0.0/30", "/29"),
            ("podCidr", "10.4.0.0/25", "/24"),
            ("serviceCidr", "10.8.0.0/28", "/27"),
            ("proxyCidr", "192.168.0.0/27", "/26"),
        )
    ),
    Wrong(
        name="ranges that overlap",
        changes={"network.nodeCidr": "10.4.0.0/20"},
        path="network.nodeCidr",
        value="10.4.0.0/20",
        rule="overlaps podCidr = 10.4.0.0/14",
        fix="choose ranges",
    ),
    Wrong(
        name="pods of more nodes than the range has",
        changes={"network.podCidr": "10.4.0.0/22"},
        path="network.podCidr",
        value="10.4.0.0/22",
        rule="too small for the 6 nodes that both pools may grow to: GKE gives each a /24",
        fix="use a /21 or larger",
    ),
    Wrong(
        name="more nodes than addresses",
        changes={"network.nodeCidr": "10.0.0.0/29"},
        path="network.nodeCidr",
        value="10.0.0.0/29",
        rule="too small for the 6 nodes",
        fix="use a /28 or larger",
    ),
    Wrong(
        name="range of an auto-mode network",
        changes={"network": {"existing": BROUGHT | {"autoMode": True}, "proxyCidr": "10.200.0.0/23"}},
        path="network.proxyCidr",
        value="10.200.0.0/23",
        rule="an auto-mode VPC owns 10.128.0.0/9",
        fix="192.168.0.0/23",
    ),
)

MODEL = (
    Wrong(
        name="model that nobody knows",
        changes={"models[0].id": "somebody/secret-model"},
        path="models[0].id",
        value="somebody/secret-model",
        rule="does not know this model",
        fix="catalog/models.yaml",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a configuration that is not there",
        changes={"models[0].config": "nowhere/config.json"},
        files={GATED: ModelFile(config={}, problem="cannot be read: No such file or directory")},
        path="models[0].config",
        value="nowhere/config.json",
        rule="No such file",
        fix="correct the path",
    ),
    Wrong(
        name="a configuration of an architecture that nobody here knows",
        changes={"models[0]": {"id": GATED, "config": "mamba"}},
        files={GATED: ModelFile(config={"architectures": ["MambaForCausalLM"]})},
        path="models[0].config",
        value="mamba",
        rule="architecture MambaForCausalLM is not one whose memory this program can compute",
        fix="watch the first start",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a configuration that is not of these weights",
        changes={"models[0].config": "gemma"},
        files={GATED: ModelFile(config=GEMMA, weights_bytes=4_000_000_000)},
        path="models[0].config",
        value="gemma",
        rule="its files hold 3.7 GiB, and its weights are computed to be 4.7 GiB",
        fix="check that index and config.json are of one model",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="longer than the model's context",
        changes={"models[0].maxModelLen": 16384},
        path="models[0].maxModelLen",
        value="16384",
        rule="trained for 8192 tokens",
        fix="use 8192 or less",
    ),
    Wrong(
        name="bfloat16 on a T4",
        changes={"models[0].dtype": "bfloat16"},
        path="models[0].dtype",
        value="bfloat16",
        rule="compute capability 7.5; bfloat16 needs 8.0",
        fix="use dtype: half",
    ),
    Wrong(
        name="fp8 cache without fp8 units",
        changes={"models[0].kvCacheDtype": "fp8"},
        path="models[0].kvCacheDtype",
        value="fp8",
        rule="no fp8 units",
        fix="remove kvCacheDtype",
    ),
    Wrong(
        name="weights larger than the accelerator",
        changes={"models[0].id": "google/gemma-7b"},
        path="models[0].id",
        value="google/gemma-7b",
        rule="needs more than the 12.38 GiB that vLLM may use of each T4 before any KV cache (weights 15.91",
        fix="use accelerator.perNode: 2, or accelerator.type: nvidia-l4",
    ),
    Wrong(
        name="a request longer than the KV cache",
        changes={"models[0].id": "Qwen/Qwen3-4B", "models[0].maxModelLen": 40960},
        path="models[0].maxModelLen",
        value="40960",
        rule="one request of 40960 tokens needs 5.62 GiB of KV cache",
        fix="maxModelLen: ",
    ),
    Wrong(
        name="no room for the sampler's warm-up",
        changes={"release": "gaie-1.5", "models[0].maxModelLen": 4096, "models[0].gpuMemoryUtilization": 0.9},
        path="models[0].gpuMemoryUtilization",
        value="0.9",
        rule="the sampler's warm-up with 256 sequences x 256000 vocabulary entries takes 500 MiB",
        fix="use gpuMemoryUtilization: 0.89, or maxNumSeqs: 128",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="an accelerator whose memory nobody logged",
        changes={"accelerator": {"type": "nvidia-gb200"}},
        path="accelerator.type",
        value="nvidia-gb200",
        rule="no log shows how much memory vLLM sees on GB200",
        fix="watch the first start",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="more GPUs than a node has",
        changes={"models[0].tensorParallel": 2},
        path="models[0].tensorParallel",
        value="2",
        rule="a node has 1 T4",
        fix="use 1 or fewer",
    ),
    Wrong(
        name="fewer chips than the host has",
        stack="tpu",
        changes={"models[0].tensorParallel": 2},
        path="models[0].tensorParallel",
        value="2",
        rule="takes all chips of its slice: tensor parallelism is 4",
        fix="use 4",
    ),
    Wrong(
        name="attention heads that do not divide",
        changes={
            "accelerator.machineType": "n1-standard-16",
            "accelerator.perNode": 4,
            "models[0]": {"id": "Qwen/Qwen2.5-0.5B-Instruct", "dtype": "half"},
        },
        path="models[0].tensorParallel",
        value="4",
        rule="14 attention heads, which 4 cannot share",
        fix="use a divisor of 14",
    ),
    Wrong(
        name="one key-value head on four chips",
        stack="tpu",
        changes={"models[0].id": GATED},
        path="models[0].tensorParallel",
        value="4",
        rule="has 1 key-value head; 4 TPU chips cannot share it",
        fix="use 1 chip, or a model with 4 or more key-value heads: Qwen/Qwen2.5-3B-Instruct",
    ),
    Wrong(
        name="key-value heads that do not divide on GPUs",
        changes={
            "location": "us-central1-c",
            "accelerator": {"type": "nvidia-l4", "machineType": "g2-standard-96"},
            "models[0]": {"id": "microsoft/phi-4"},
        },
        path="models[0].tensorParallel",
        value="8",
        rule="has 10 key-value heads; 8 GPUs cannot share them",
        fix="use a tensorParallel that divides 10",
    ),
    Wrong(
        name="a vocabulary that five cannot share",
        changes={
            "location": "us-central1-c",
            "accelerator": {"type": "nvidia-l4", "machineType": "g2-standard-96"},
            "models[0]": {"id": "microsoft/phi-4", "tensorParallel": 5},
        },
        path="models[0].tensorParallel",
        value="5",
        rule="vocabulary, padded to 100352 entries, cannot be cut into 5 parts",
        fix="use tensorParallel: 2",
    ),
    Wrong(
        name="experts that sixteen cannot share",
        changes={
            "location": "us-central1-c",
            "accelerator": {"type": "nvidia-tesla-a100", "machineType": "a2-megagpu-16g"},
            "models[0]": {
                "id": "mistralai/Mixtral-8x7B-Instruct-v0.1",
                "allowExtraArgs": True,
                "extraArgs": ["--enable-expert-parallel"],
            },
        },
        path="models[0].tensorParallel",
        value="16",
        rule="8 experts cannot be dealt out evenly to 16",
        fix="use a divisor of 8",
    ),
    Wrong(
        name="feed-forward layers that eight cannot share",
        changes={
            "location": "us-central1-c",
            "accelerator": {"type": "nvidia-l4", "machineType": "g2-standard-96"},
            "models[0]": {"id": "mistralai/Mistral-7B-Instruct-v0.3"},
        },
        facts={"mistralai/Mistral-7B-Instruct-v0.3": {"intermediate": 14340}},
        path="models[0].tensorParallel",
        value="8",
        rule="feed-forward layers of width 14340 cannot be cut into 8 parts",
        fix="use tensorParallel: 4",
    ),
    Wrong(
        name="blocks of fp8 weights cut in two",
        changes={
            "location": "us-central1-c",
            "accelerator": {"type": "nvidia-l4", "machineType": "g2-standard-48"},
            "models[0]": {"id": "Qwen/Qwen3-30B-A3B-FP8"},
        },
        path="models[0].tensorParallel",
        value="4",
        rule="width 768 give each of 4 devices 192, which is no multiple of the quantisation's blocks of 128",
        fix="use tensorParallel: 2, or expertParallel: true",
    ),
    Wrong(
        name="more pipeline stages than layers",
        changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--pipeline-parallel-size", "19"]},
        path="models[0].extraArgs",
        value="--pipeline-parallel-size 19",
        rule="18 layers, and every pipeline stage needs one",
        fix="use 18 or fewer",
    ),
    Wrong(
        name="pipeline stages on GPUs that the node has not",
        changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--pipeline-parallel-size=2"]},
        path="models[0].extraArgs",
        value="--pipeline-parallel-size 2",
        rule="2 stages of 1 take 2 T4, and a replica's node has 1",
        fix="fewer stages",
    ),
    Wrong(
        name="a 4-bit format that Turing cannot run",
        changes={"models[0]": {"id": "openai/gpt-oss-20b", "maxModelLen": 2048}, "accelerator.perNode": 4},
        path="models[0].id",
        value="openai/gpt-oss-20b",
        rule="MXFP4 kernels need 8.0",
        fix="nvidia-l4",
    ),
    Wrong(
        name="fp8 weights without fp8 units",
        changes={
            "location": "us-central1-c",
            "accelerator": {"type": "nvidia-a100-80gb"},
            "models[0]": {"id": "Qwen/Qwen3-32B-FP8", "maxModelLen": 8192},
        },
        path="models[0].id",
        value="Qwen/Qwen3-32B-FP8",
        rule="no fp8 units",
        fix="count on the memory only",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a share of memory with which a start was seen to fail",
        stack="prefix-cache-gpu",
        changes={"release": "llm-d-0.4", "models[0].gpuMemoryUtilization": 0.8},
        path="models[0].gpuMemoryUtilization",
        value="0.8",
        rule="ran out of memory here with prefix caching on, which the estimate does not explain",
        fix="use gpuMemoryUtilization: 0.75",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="only prefixes count",
        changes={"models[0].replicas": 2, "picker.scorers": {"kvCacheUtilization": 0, "queue": 0}},
        path="picker.scorers",
        value="prefixCache: 3 alone",
        rule="all go to one replica",
        fix="give kvCacheUtilization or queue a weight",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="no token for a gated model",
        changes={"huggingFace": None},
        path="huggingFace.token",
        value="(missing)",
        rule="is gated",
        fix="pulumi config set --path --secret llm-d:huggingFace.token",
    ),
    Wrong(
        name="two models of one name",
        changes={
            "models": [
                {"id": "microsoft/phi-2", "dtype": "half", "servedName": "phi"},
                {"id": "Qwen/Qwen2.5-0.5B-Instruct", "dtype": "half", "servedName": "phi"},
            ]
        },
        path="models[0].servedName",
        value="phi",
        rule="2 models answer to this name",
        fix="its own servedName",
    ),
    Wrong(
        name="picker without scorers",
        changes={"picker.scorers": {"prefixCache": 0, "kvCacheUtilization": 0, "queue": 0}},
        path="picker.scorers",
        value="all 0",
        rule="chooses at random",
        fix="give one a weight",
    ),
    Wrong(
        name="scored prefixes that nobody keeps",
        changes={"models[0].prefixCaching": False},
        path="models[0].prefixCaching",
        value="false",
        rule="scores prefix matches (weight 3)",
        fix="picker.scorers.prefixCache to 0",
    ),
)

ACCESS = (
    Wrong(
        name="token in plain text",
        encrypted=frozenset(),
        path="huggingFace.token",
        value="(hidden)",
        rule="in plain text in the stack file",
        fix="--secret llm-d:huggingFace.token",
    ),
    Wrong(
        name="token of somebody else",
        changes={"huggingFace.token": "ghp_something"},
        path="huggingFace.token",
        value="(hidden)",
        rule="begin with hf_",
        fix="--secret llm-d:huggingFace.token",
    ),
    Wrong(
        name="password in plain text",
        changes={"registry": {"server": "r.example.com", "username": "u", "password": "p"}},
        encrypted=frozenset({"huggingFace"}),
        path="registry.password",
        value="(hidden)",
        rule="in plain text in the stack file",
        fix="--secret llm-d:registry.password",
    ),
)

SETTINGS = (
    Wrong(
        name="misspelt key",
        changes={"models[0].maxModelLength": 2048},
        path="models[0].maxModelLength",
        value="2048",
        rule="there is no such setting",
        fix="check the spelling",
    ),
    Wrong(
        name="misspelt top-level key",
        changes={"modles": "x"},
        path="modles",
        value="x",
        rule="there is no such setting",
        fix="check the spelling",
    ),
    Wrong(
        name="missing key",
        changes={"location": None},
        path="location",
        value="(missing)",
        rule="required",
        fix="pulumi config set",
    ),
    Wrong(
        name="text for a number",
        changes={"accelerator.nodes.max": "three"},
        path="accelerator.nodes.max",
        value="three",
        rule="valid integer",
        fix="within the rule above",
    ),
    Wrong(
        name="number for text",
        changes={"models[0].servedName": 7},
        path="models[0].servedName",
        value="7",
        rule="must be text",
        fix="in quotes",
    ),
    Wrong(
        name="value out of range",
        changes={"models[0].gpuMemoryUtilization": 85},
        path="models[0].gpuMemoryUtilization",
        value="85",
        rule="less than 1",
        fix="within the rule above",
    ),
    Wrong(
        name="value that is not on the list",
        changes={"models[0].dtype": "fp16"},
        path="models[0].dtype",
        value="fp16",
        rule="not one of the values allowed here",
        fix="'half'",
    ),
    Wrong(
        name="kind that is not on the list",
        changes={"models[0].source": {"kind": "ftp"}},
        path="models[0].source",
        value="{'kind': 'ftp'}",
        rule="not one of the values allowed here",
        fix="'bucket'",
    ),
    Wrong(
        name="no kind",
        changes={"models[0].source": {"bucket": "weights"}},
        path="models[0].source",
        value="{'bucket': 'weights'}",
        rule="does not say which kind",
        fix="add kind",
    ),
    Wrong(
        name="wrong value below a kind of the same name",
        changes={"models[0].source": {"kind": "bucket", "bucket": "Weights!", "path": "m"}},
        path="models[0].source.bucket",
        value="Weights!",
        rule="should match pattern",
        fix="within the rule above",
    ),
    Wrong(
        name="missing value below a kind",
        changes={"gateway.tls": {"kind": "certificate-manager"}},
        path="gateway.tls.certificates",
        value="(missing)",
        rule="required",
        fix="add it",
    ),
    Wrong(
        name="bounds the wrong way round",
        changes={"accelerator.nodes": {"min": 3, "max": 1}},
        path="accelerator.nodes",
        value="{'min': 3, 'max': 1}",
        rule="min (3) is larger than max (1)",
        fix="change the values",
    ),
    Wrong(
        name="arguments that nobody meant",
        changes={"models[0].extraArgs": ["--enforce-eager"]},
        path="models[0].extraArgs",
        value="['--enforce-eager']",
        rule="set allowExtraArgs: true",
        fix="change the values",
    ),
    Wrong(
        name="range with a host in it",
        changes={"network.nodeCidr": "10.0.0.1/20"},
        path="network.nodeCidr",
        value="10.0.0.1/20",
        rule="valid IPv4 network",
        fix="within the rule above",
    ),
    Wrong(
        name="two ways to a token",
        changes={"huggingFace.existingSecret": "mine"},
        path="huggingFace",
        value="(hidden)",
        rule="exclude each other",
        fix="change the values",
    ),
    Wrong(
        name="two ways to a pull secret",
        changes={"registry": {"existingSecret": "mine", "server": "r.example.com"}},
        path="registry",
        value="(hidden)",
        rule="exclude each other",
        fix="change the values",
    ),
    Wrong(
        name="half a pull secret",
        changes={"registry": {"server": "r.example.com"}},
        path="registry",
        value="(hidden)",
        rule="belong together",
        fix="change the values",
    ),
)

LORA = {"name": "sql", "source": "somebody/sql-lora"}

PATTERNS = (
    Wrong(
        name="one model behind a model router",
        changes={"pattern": "multi-model"},
        path="models",
        value="1 model",
        rule="one needs none",
        fix="use pattern: single-replica",
    ),
    Wrong(
        name="a name that fits no header",
        stack="multi-model-gpu",
        changes={"models[0].servedName": "gemmä"},
        path="models[0].servedName",
        value="gemmä",
        rule="takes ASCII",
        fix="use letters",
    ),
    Wrong(
        name="an adapter named as a model",
        stack="multi-model-gpu",
        changes={"models[0].adapters": [{"name": "microsoft/Phi-3-mini-4k-instruct", "source": "somebody/sql-lora"}]},
        path="models[0].adapters[0].name",
        value="microsoft/Phi-3-mini-4k-instruct",
        rule="2 models answer to this name",
        fix="a name of its own",
    ),
    Wrong(
        name="an alias named as an adapter",
        changes={"models[0].aliases": ["sql"], "models[0].adapters": [LORA]},
        path="models[0].aliases[0]",
        value="sql",
        rule="2 models answer to this name",
        fix="a name of its own",
    ),
    Wrong(
        name="an adapter that is its own base",
        changes={"models[0].adapters": [{"name": "gemma-lora", "source": GATED}]},
        path="models[0].adapters[0].source",
        value=GATED,
        rule="the base model's own repository",
        fix="use aliases",
    ),
    Wrong(
        name="an adapter where the Hub is out of reach",
        changes={
            "models[0].source": {"kind": "bucket", "bucket": "weights", "path": "g"},
            "models[0].adapters": [LORA],
        },
        path="models[0].adapters[0].source",
        value="somebody/sql-lora",
        rule="read without the Hub",
        fix="use source.kind: hugging-face",
    ),
    Wrong(
        name="an adapter without a base",
        changes={"adapters": [LORA]},
        path="adapters",
        value="[{'name': 'sql', 'source': 'somebody/sql-lora'}]",
        rule="no such setting",
        fix="check the spelling",
    ),
    Wrong(
        name="nothing to choose from",
        stack="prefix-cache-gpu",
        changes={"models[0].replicas": 1},
        path="models[0].replicas",
        value="1",
        rule="one replica leaves no choice",
        fix="use 2 or more",
    ),
    Wrong(
        name="prefix matches without weight",
        stack="prefix-cache-gpu",
        changes={"picker.scorers.prefixCache": 0},
        path="picker.scorers.prefixCache",
        value="0",
        rule="this weight leaves them out",
        fix="give it a weight",
    ),
    Wrong(
        name="prefix matches without a cache",
        stack="prefix-cache-gpu",
        changes={"models[0].prefixCaching": False},
        path="models[0].prefixCaching",
        value="false",
        rule="that this engine does not keep",
        fix="remove prefixCaching",
    ),
    Wrong(
        name="two models that share a prefix cache",
        stack="prefix-cache-gpu",
        changes={
            "models": [
                {"id": "microsoft/phi-2", "dtype": "half", "maxModelLen": 1024, "replicas": 2},
                {"id": "Qwen/Qwen2.5-0.5B-Instruct", "dtype": "half", "maxModelLen": 1024, "replicas": 2},
            ]
        },
        path="models",
        value="2 models",
        rule="prefix-cache serves one model",
        fix="use pattern: multi-model",
    ),
)

PRICED = {"date": "2026-11-01"}

ESTIMATES = (
    Wrong(
        name="a price of nothing",
        changes={"prices": {**PRICED, "machines": {"n1-standard-3": {"onDemand": 0.1}}}},
        path="prices.machines.n1-standard-3",
        value="{'on-demand': 0.1}",
        rule="the price would never be used",
        fix="take the name from the catalogue",
    ),
    Wrong(
        name="a price of an unknown item",
        changes={"prices": {**PRICED, "items": {"nat": 0.1}}},
        path="prices.items.nat",
        value="0.1",
        rule="the price would never be used",
        fix="use one of cluster, ",
    ),
    Wrong(
        name="prices of no day",
        changes={"prices": {"items": {"cluster": 0.1}}},
        path="prices.date",
        value="(missing)",
        rule="required",
        fix="add it",
    ),
    Wrong(
        name="an empty price",
        changes={"prices": {**PRICED, "accelerators": {"nvidia-tesla-t4": {}}}},
        path="prices.accelerators.nvidia-tesla-t4",
        value="{}",
        rule="no price is given",
        fix="change the values",
    ),
    Wrong(
        name="a load longer than the model",
        changes={"models[0].load": {"promptTokens": 2000, "outputTokens": 100}},
        path="models[0].load.promptTokens",
        value="2000",
        rule="2000 + 100 tokens is longer than maxModelLen 2048",
        fix="2048 tokens together",
    ),
    Wrong(
        name="a rate and a number in flight",
        changes={"models[0].load": {"concurrency": 4, "requestsPerSecond": 2}},
        path="models[0].load",
        value="{'concurrency': 4, 'requestsPerSecond': 2}",
        rule="say the same in two ways",
        fix="change the values",
    ),
    Wrong(
        name="too few replicas for the rate",
        changes={"models[0].load": {"requestsPerSecond": 30}},
        path="models[0].replicas",
        value="1",
        rule="30 requests/s of 128 prompt and 128 output tokens: that takes 4 replicas",
        fix="use 4 replicas",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="too few replicas for the latency",
        changes={"models[0].load": {"concurrency": 64, "timePerOutputTokenMs": 40}},
        path="models[0].replicas",
        value="1",
        rule="each further token within 40 ms: that takes",
        fix="replicas with accelerator.nodes.max to match",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="an objective no number of replicas meets",
        changes={"models[0].load": {"requestsPerSecond": 1, "timePerOutputTokenMs": 5}},
        path="models[0].load.timePerOutputTokenMs",
        value="5.0",
        rule="one request alone takes 26 ms (estimate, give or take 22%): more replicas do not help",
        fix="use a faster accelerator",
        severity=Severity.WARNING,
    ),
)

CHARTS = (
    Wrong(
        name="LeaderWorkerSet in a cluster that does not exist yet",
        changes={"platform.leaderWorkerSet.existing": True},
        path="platform.leaderWorkerSet.existing",
        value="true",
        rule="this stack makes its cluster",
        fix="cluster.existing",
    ),
    Wrong(
        name="Istio in a cluster that does not exist yet",
        changes={"platform.istio.existing": True},
        path="platform.istio.existing",
        value="true",
        rule="this stack makes its cluster",
        fix="cluster.existing",
    ),
)

MOE, WIDE, SLICE = "mixture-of-experts-gpu", "mixture-of-experts-wide-gpu", "mixture-of-experts-tpu"
PIPELINE = {"id": "deepseek-ai/DeepSeek-R1", "pipelineParallel": 2, "expertParallel": True, "maxModelLen": 16384}
GROUPS = (
    Wrong(
        name="experts wanted of a dense model",
        stack=MOE,
        changes={"models[0].id": "Qwen/Qwen3-32B", "models[0].expertParallel": None},
        path="models[0].id",
        value="Qwen/Qwen3-32B",
        rule="has no experts",
        fix="pattern: single-replica",
    ),
    Wrong(
        name="expert parallelism of a dense model",
        changes={"models[0].expertParallel": True},
        path="models[0].expertParallel",
        value="true",
        rule="has no experts to share",
        fix="remove it",
    ),
    Wrong(
        name="experts that do not divide",
        stack=WIDE,
        changes={"models[0].id": "Qwen/Qwen3-Coder-480B-A35B-Instruct", "models[0].dataParallel": 24}
        | {"accelerator.nodes.max": 3},
        path="models[0].dataParallel",
        value="24",
        rule="160 experts cannot be dealt out evenly to 24",
        fix="use a divisor of 160",
    ),
    Wrong(
        name="two ranks on one slice",
        stack=SLICE,
        changes={"models[0].dataParallel": 2},
        path="models[0].dataParallel",
        value="2",
        rule="chips of a slice work as one rank",
        fix="remove it",
    ),
    Wrong(
        name="half the chips of a slice",
        stack=SLICE,
        changes={"models[0].tensorParallel": 8},
        path="models[0].tensorParallel",
        value="8",
        rule="tensor parallelism is 16 there",
        fix="use 16",
    ),
    Wrong(
        name="an engine that knows no slices of several hosts",
        stack=SLICE,
        changes={"release": "llm-d-0.4"},
        path="accelerator.topology",
        value="4x4",
        rule="takes Ray on TPU, which vLLM 0.11.1 does not have",
        fix="release: llm-d-0.9",
    ),
    Wrong(
        name="a host and a half",
        stack=WIDE,
        changes={"models[0].dataParallel": 12, "models[0].expertParallel": None},
        path="models[0].dataParallel",
        value="12",
        rule="a group has whole hosts",
        fix="a multiple of 8",
    ),
    Wrong(
        name="ranks cut into stages",
        stack=WIDE,
        changes={"models[0].dataParallel": 8, "models[0].pipelineParallel": 2},
        path="models[0].dataParallel",
        value="8",
        rule="cannot be cut into stages",
        fix="one of dataParallel and pipelineParallel",
    ),
    Wrong(
        name="a rank on two hosts",
        stack=WIDE,
        changes={"models[0].dataParallel": 2, "models[0].tensorParallel": 16, "accelerator.nodes.max": 4},
        path="models[0].tensorParallel",
        value="16",
        rule="a data-parallel rank lives on one host",
        fix="use a divisor of 8",
    ),
    Wrong(
        name="more ranks than ports",
        stack=MOE,
        changes={
            "accelerator": {"type": "nvidia-tesla-a100", "machineType": "a2-megagpu-16g"},
            "release": "llm-d-0.9",
            "models[0]": {"id": "Qwen/Qwen3-30B-A3B", "dataParallel": 16, "expertParallel": True, "maxModelLen": 4096},
        },
        path="models[0].dataParallel",
        value="16",
        rule="16 ranks in a pod need as many ports, and an InferencePool names 8",
        fix="tensorParallel: 2",
    ),
    Wrong(
        name="a way to exchange tokens that nobody exchanges",
        stack=MOE,
        changes={"models[0].allToAll": "allgather_reducescatter"},
        path="models[0].allToAll",
        value="allgather_reducescatter",
        rule="there are none",
        fix="set dataParallel",
    ),
    Wrong(
        name="DeepEP without RDMA",
        stack=WIDE,
        changes={
            "location": "us-central1-a",
            "accelerator": {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"max": 2}},
            "models[0].allToAll": "deepep_low_latency",
        },
        path="models[0].allToAll",
        value="deepep_low_latency",
        rule="a3-highgpu-8g has none",
        fix="allgather_reducescatter",
    ),
    Wrong(
        name="hosts on an ordinary network",
        stack=WIDE,
        changes={
            "location": "us-central1-a",
            "accelerator": {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"max": 2}},
        },
        path="accelerator.machineType",
        value="a3-highgpu-8g",
        rule="talk over their ordinary network",
        fix="a3-ultragpu-8g",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a cluster from before managed DRANET",
        stack=WIDE,
        changes={"cluster.version": "1.33"},
        path="cluster.version",
        value="1.33",
        rule="through managed DRANET, which came with 1.34.1",
        fix="use 1.35",
    ),
    Wrong(
        name="an engine without a port for each rank",
        stack=WIDE,
        changes={"models[0].image": None, "release": "gaie-1.5"},
        path="models[0].dataParallel",
        value="16",
        rule="vLLM 0.19.1 has no port for each rank",
        fix="release: llm-d-0.9",
    ),
    Wrong(
        name="a precise index of ranks",
        stack=WIDE,
        changes={"picker.prefixRouting": "precise"},
        path="models[0].dataParallel",
        value="16",
        rule="each rank publishes its blocks on a port of its own",
        fix="prefixRouting: approximate",
    ),
    Wrong(
        name="ports that only Istio is known to lead to",
        stack=WIDE,
        path="gateway.implementation",
        value="gke",
        rule="8 ports of a pod are endpoints of their own",
        fix="implementation: istio",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="an engine that needs Ray for two hosts",
        stack=WIDE,
        changes={
            "release": "llm-d-0.4",
            "models[0]": PIPELINE | {"maxNumSeqs": 256},
        },
        path="models[0].pipelineParallel",
        value="2",
        rule="on several hosts only with Ray",
        fix="release: llm-d-0.9",
    ),
)

OLD, NEW = "google/gemma-2b-it", "microsoft/Phi-3-mini-4k-instruct"

PICKERS = (
    Wrong(
        name="several pickers that fail closed",
        changes={"picker.replicas": 2},
        path="picker.failureMode",
        value="close",
        rule="between two leaders no picker is ready",
        fix="failureMode: open",
        severity=Severity.WARNING,
    ),
)

SOURCES = (
    Wrong(
        name="weights in an image that has none",
        changes={"models[0].source": {"kind": "image", "path": "/models/gemma"}},
        path="models[0].source",
        value="image",
        rule="engine image holds no weights",
        fix="models[0].image",
    ),
    Wrong(
        name="an image as volume where GKE cannot",
        changes={
            "models[0].source": {"kind": "image", "reference": "example.com/weights/gemma:1", "path": "/"},
            "cluster.version": "1.34",
        },
        path="models[0].source.reference",
        value="example.com/weights/gemma:1",
        rule="does not mount images as volumes",
        fix="1.35 or newer",
    ),
)

SPLITS = (
    Wrong(
        name="a split without a router",
        changes={"splits": [{"name": "chat", "weights": {OLD: 1}}]},
        path="splits",
        value="chat",
        rule="single-replica has one model",
        fix="pattern: multi-model",
    ),
    Wrong(
        name="a split with a model that is not there",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, "gemma-3": 1}}]},
        path="splits[0].weights",
        value="gemma-3",
        rule="no model of this stack has this name",
        fix=f"{OLD}, {NEW}",
    ),
    Wrong(
        name="a split with one side",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 1}}]},
        path="splits[0].weights",
        value=OLD,
        rule="two or more sides",
        fix="chat one of the model's aliases",
    ),
    Wrong(
        name="a split that leads nowhere",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 0, NEW: 0}}]},
        path="splits[0].weights",
        value="all 0",
        rule="nobody would answer requests for chat",
        fix="give a model a weight",
    ),
    Wrong(
        name="a split to a model without replicas",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, NEW: 1}}], "models[1].replicas": 0},
        path="splits[0].weights",
        value=f"{NEW}: 1",
        rule="a model without replicas",
        fix="give it replicas, or weight 0",
    ),
    Wrong(
        name="a split named as a model",
        stack="multi-model-gpu",
        changes={"splits": [{"name": NEW, "weights": {OLD: 9, NEW: 1}}]},
        path="splits[0].name",
        value=NEW,
        rule="2 models answer to this name",
        fix="a name of its own",
    ),
    Wrong(
        name="a split among models of different lengths",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, NEW: 1}}], "models[1].maxModelLen": 1024},
        path="splits[0].weights",
        value=f"{OLD} 2048, {NEW} 1024",
        rule="longer than 1024 tokens are refused by some",
        fix="the same maxModelLen",
        severity=Severity.WARNING,
    ),
)

CERTIFICATES = (
    Wrong(
        name="an engine that answers in HTTPS",
        changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--ssl_certfile=/a", "--ssl-keyfile", "/b"]},
        path="models[0].extraArgs[0]",
        value="--ssl_certfile=/a",
        rule="probes and collectors would not know",
        fix="gateway.backendTls",
    ),
    Wrong(
        name="certificate for no name",
        changes={"gateway.tls": {"kind": "cert-manager"}},
        path="gateway.hostname",
        value="null",
        rule="a certificate is for a name",
        fix="gateway.tls.dnsNames",
    ),
    Wrong(
        name="certificate for another name",
        changes={
            "gateway.tls": {"kind": "cert-manager", "dnsNames": ["*.example.com", "example.org"]},
            "gateway.hostname": "llm.eu.example.com",
        },
        path="gateway.tls.dnsNames",
        value="*.example.com, example.org",
        rule="answers to llm.eu.example.com only",
        fix="add llm.eu.example.com",
    ),
    Wrong(
        name="certificate that signs itself",
        changes={"gateway.tls": {"kind": "cert-manager"}, "gateway.hostname": "llm.example.com"},
        path="gateway.tls.issuer",
        value="null",
        rule="no client trusts it unasked",
        fix="name an issuer",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="issuer that is not there yet",
        changes={
            "gateway.tls": {"kind": "cert-manager", "issuer": {"name": "ca"}},
            "gateway.hostname": "a.example.com",
        },
        path="gateway.tls.issuer",
        value="ca",
        rule="installs cert-manager and no issuer",
        fix="leave issuer out for the first `pulumi up`",
        severity=Severity.WARNING,
    ),
)

EVERY = (
    *CERTIFICATES,
    *ESTIMATES,
    *PATTERNS,
    *STACK,
    *PLACE,
    *CLUSTER,
    *NODES,
    *NETWORK,
    *MODEL,
    *ACCESS,
    *SETTINGS,
    *CHARTS,
    *GROUPS,
    *PICKERS,
    *SOURCES,
    *SPLITS,
)

# Two mistakes that cannot be made one at a time.
TOGETHER: Mapping[str, frozenset[str]] = {"two models of one name": frozenset({"llm-d:models"})}
