"""Stack files with settings that have no effect, or with names that cannot be taken."""

from __future__ import annotations

from typing import Any

from llm_d_gke.planning.findings import Severity
from llm_d_gke.planning.setting_errors.validation import short
from tests.planning.refusals.case import Wrong
from tests.stacks import existing_cluster

_ISSUER = "https://accounts.example.com"

_NETWORK = {"network": "n", "subnetwork": "s", "podRange": "p", "serviceRange": "q", "nat": True}
_KEY = "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"
_LINK = "projects/some-host-project/regions/europe-west4/subnetworks/nodes"
_SCALED = {"minimum": 1, "maximum": 2, "target": {"queuePerReplica": 4}}

_ISTIO = {"gateway.implementation": "istio", "gateway.tls": {"kind": "secret", "secret": "edge"}}


def _window(start: str, end: str, recurrence: str = "FREQ=WEEKLY;BYDAY=SA,SU") -> dict[str, Any]:
    window = {"start": f"2026-01-{start}:00:00Z", "end": f"2026-01-{end}:00:00Z", "recurrence": recurrence}
    return {"cluster": {"maintenanceWindow": window}}


def _few_hours(name: str, window: dict[str, Any], value: str, rule: str) -> Wrong:
    return Wrong(
        id="LLMD-MAINTENANCE-HOURS",
        name=name,
        changes=window,
        path="cluster.maintenanceWindow",
        value=value,
        rule=rule,
        fix="BYDAY=SA,SU with 6 hours each",
    )


def _wrong_window(name: str, changes: dict[str, Any], rule: str) -> Wrong:
    return Wrong(
        id="LLMD-MAINTENANCE-WINDOW",
        name=name,
        changes=changes,
        path="cluster.maintenanceWindow",
        value=short(changes["cluster"]["maintenanceWindow"]),
        rule=rule,
        fix="2026-01-03T02:00:00Z" if "start" in rule or "4 h" in rule or "time" in rule else "BYDAY=SA,SU",
    )


def _argument(name: str, words: list[str], position: int, rule: str, fix: str) -> Wrong:
    return Wrong(
        id="LLMD-ENGINE-VALUE",
        name=name,
        changes={"models[0].extraArgs": words, "models[0].allowExtraArgs": True},
        path=f"models[0].extraArgs[{position}]",
        value=words[position],
        rule=rule,
        fix=fix,
    )


def _variable(rule_id: str, name: str, value: str, rule: str, fix: str, severity: Severity = Severity.ERROR) -> Wrong:
    return Wrong(
        id=rule_id,
        name=f"variable {name}",
        changes={"models[0].env": {name: value}, "models[0].allowExtraArgs": True},
        path=f"models[0].env.{name}",
        value=value,
        rule=rule,
        fix=fix,
        severity=severity,
    )


WITHOUT_EFFECT = (
    Wrong(
        id="LLMD-BASE-UNREAD",
        name="a base in the settings of a program",
        changes={"base": "environments/service.yaml"},
        path="base",
        value="environments/service.yaml",
        rule="these settings come from a program",
        fix="merge the shared values in the program, for example {**shared, **own}",
    ),
    Wrong(
        id="LLMD-TLS-VERSION-UNUSED",
        name="version of TLS without a certificate",
        changes={"gateway": {"exposure": "internal", "tlsVersion": "1.3"}},
        path="gateway.tlsVersion",
        value="1.3",
        rule="without a certificate",
        fix="set gateway.tls, or remove tlsVersion",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-DRIVER-TPU",
        name="driver on TPU nodes",
        stack="tpu",
        changes={"accelerator.driverVersion": "latest"},
        path="accelerator.driverVersion",
        value="latest",
        rule="the NVIDIA driver of GPU nodes",
        fix="remove it",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-BUDGET-NOTIFY",
        name="shares of a budget without an account",
        changes={"budget": {"maxMonthlyUsd": 90000, "notifyAt": [0.5]}},
        path="budget.notifyAt",
        value="0.5",
        rule="none is named",
        fix="add billingAccount",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-RANGE-TWICE",
        name="one range for pods and services",
        changes={"network": {"existing": {**_NETWORK, "serviceRange": "p"}}},
        path="network.existing.serviceRange",
        value="p",
        rule="both settings name the same one",
        fix="name the range of services",
    ),
    Wrong(
        id="LLMD-SUBNET-TWICE",
        name="one subnet for nodes and proxies",
        changes={
            "network": {
                "existing": {**_NETWORK, "proxySubnetwork": _NETWORK["subnetwork"]},
                "proxyCidr": "192.168.64.0/23",
            }
        },
        path="network.existing.proxySubnetwork",
        value=str(_NETWORK["subnetwork"]),
        rule="need a subnet each",
        fix="name the region's proxy-only subnet",
    ),
    *(
        Wrong(
            id="LLMD-JWKS-DISCOVERY",
            name=f"{what} in place of its keys",
            changes={
                "gateway.implementation": "istio",
                "gateway.auth": {"kind": "jwt", "issuer": _ISSUER, "jwksUri": address, "audiences": ["a"]},
            },
            path="gateway.auth",
            value=short({"kind": "jwt", "issuer": _ISSUER, "jwksUri": address}),
            rule="has no keys",
            fix="as jwks_uri",
        )
        for what, address in (
            ("description of a provider", f"{_ISSUER}/.well-known/openid-configuration"),
            ("a provider", f"{_ISSUER}/"),
        )
    ),
    Wrong(
        id="LLMD-PROJECT-PLACEHOLDER",
        name="the project of an example",
        changes={"project": "my-project-id"},
        path="project",
        value="my-project-id",
        rule="stands in documentation",
        fix="gcloud projects list",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-ROUTER-UNUSED",
        name="a router's settings without a router",
        changes={"router": {"replicas": 3}},
        path="router",
        value="replicas",
        rule="single-replica has no model router",
        fix="multi-model",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-NAMESPACE-SYSTEM",
        name="the namespace of Kubernetes",
        changes={"namespace": {"name": "kube-system"}},
        path="namespace.name",
        value="kube-system",
        rule="belongs to Kubernetes or GKE",
        fix="for example llm-d",
    ),
    Wrong(
        id="LLMD-NAMESPACE-SYSTEM",
        name="the namespace of a controller that the stack installs",
        changes={"deployment": "kserve", "namespace": {"name": "kserve"}},
        path="namespace.name",
        value="kserve",
        rule="installs controllers into this namespace",
        fix="use another name",
    ),
    Wrong(
        id="LLMD-NAMESPACE-SYSTEM",
        name="the default namespace",
        changes={"namespace": {"name": "default"}},
        path="namespace.name",
        value="default",
        rule="has this namespace already",
        fix="existing: true",
    ),
    Wrong(
        id="LLMD-NAMESPACE-MISSING",
        name="an existing namespace in a new cluster",
        changes={"namespace": {"name": "team", "existing": True}},
        path="namespace.existing",
        value="true",
        rule="a new cluster does not have this namespace",
        fix="cluster.existing",
    ),
    Wrong(
        id="LLMD-EXISTING-IGNORED",
        name="ranges of an existing network",
        changes={"network": {"existing": _NETWORK, "nodeCidr": "10.20.0.0/20"}},
        path="network",
        value="nodeCidr",
        rule="network n as it is",
        fix="remove nodeCidr",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-EXISTING-IGNORED",
        name="the channel of an existing cluster",
        changes=existing_cluster() | {"cluster.releaseChannel": "rapid"},
        path="cluster",
        value="releaseChannel",
        rule="as it is",
        fix="remove releaseChannel",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-EXISTING-IGNORED",
        name="ranges that may reach an existing cluster",
        changes=existing_cluster()
        | {
            "cluster.controlPlane": {
                "access": "authorized-networks",
                "authorizedNetworks": [{"cidr": "203.0.113.0/24", "name": "office"}],
            }
        },
        path="cluster",
        value="controlPlane.authorizedNetworks",
        rule="as it is",
        fix="remove controlPlane.authorizedNetworks, and",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-EXISTING-IGNORED",
        name="the key for Secrets of an existing cluster",
        changes=existing_cluster() | {"cluster.encryption.secretsKey": _KEY, "cluster.encryption.diskKey": _KEY},
        path="cluster",
        value="encryption.secretsKey",
        rule="as it is",
        fix="remove encryption.secretsKey, and",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-NETWORK-REGION",
        name="a subnet of another region",
        changes={"network": {"existing": {**_NETWORK, "subnetwork": _LINK}}},
        path="network.existing.subnetwork",
        value="europe-west4",
        rule="nodes are in us-central1",
        fix="use a subnet of us-central1",
    ),
    Wrong(
        id="LLMD-LABEL-OWN",
        name="the stack's own label",
        changes={"labels": {"llm-d-stack": "x"}},
        path="labels.llm-d-stack",
        value="x",
        rule="the stack sets this label itself",
        fix="its value is gpu",
    ),
    Wrong(
        id="LLMD-LABEL-RESERVED",
        name="a label of Google's own",
        changes={"labels": {"goog-team": "search"}},
        path="labels.goog-team",
        value="search",
        rule="begin with goog are reserved",
        fix="use another key",
    ),
    Wrong(
        id="LLMD-AUTHORIZED-NETWORKS-ALL",
        name="the internet as an authorized network",
        changes={
            "cluster": {
                "controlPlane": {
                    "access": "authorized-networks",
                    "authorizedNetworks": [{"cidr": "0.0.0.0/0", "name": "all"}],
                }
            }
        },
        path="cluster.controlPlane.authorizedNetworks[0]",
        value="0.0.0.0/0",
        rule="all of the internet",
        fix="dns-endpoint",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-ADDON-ROOM",
        name="a picker that no node holds",
        changes={"picker": {"memory": "100Gi"}},
        path="picker.memory",
        value="100Gi",
        rule="leave 13180 MiB to pods",
        fix="cpuPool.machineType",
    ),
    _wrong_window("an end before the start", _window("03T06", "03T02"), "the end is not after the start"),
    _wrong_window("a day that does not exist", _window("32T06", "33T02"), "no day and time"),
    _wrong_window("a short window", _window("03T02", "03T03"), "4 h or more"),
    _wrong_window("days by other names", _window("03T02", "03T08", "FREQ=WEEKLY;BYDAY=SATURDAY"), "days as MO"),
    # As the API was seen to refuse it.
    _few_hours(
        "every other Saturday",
        _window("03T02", "03T09", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA"),
        "7 h, FREQ=WEEKLY;INTERVAL=2;BYDAY=SA",
        "6 of these windows, together 42 hours",
    ),
    _few_hours("rare days", _window("03T02", "03T06", "FREQ=DAILY;INTERVAL=9"), "4 h, FREQ=DAILY;INTERVAL=9", "10 of"),
    _few_hours(
        "the last day of long months",
        _window("03T02", "04T02", "FREQ=MONTHLY;BYMONTHDAY=31"),
        "24 h, FREQ=MONTHLY;BYMONTHDAY=31",
        "1 of these windows",
    ),
    Wrong(
        id="LLMD-AUTOSCALING-FIXED",
        name="equal limits",
        changes={"models[0].autoscaling": {**_SCALED, "minimum": 2}},
        path="models[0].autoscaling.maximum",
        value="2",
        rule="the minimum is the same",
        fix="replicas: 2",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-AUTOSCALING-IDLE",
        name="a time for the last replica, which stays",
        changes={"models[0].autoscaling": {**_SCALED, "idleSeconds": 600}},
        path="models[0].autoscaling.idleSeconds",
        value="600",
        rule="minimum: 1 keeps it",
        fix="minimum: 0",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PRICE-DATE",
        name="prices of the future",
        changes={"prices": {"date": "2099-01-01", "machines": {"n1-standard-4": {"onDemand": 0.2}}}},
        path="prices.date",
        value="2099-01-01",
        rule="is to come",
        fix="the day",
    ),
    Wrong(
        id="LLMD-SETTING-REPEATED",
        name="a zone twice",
        changes={"accelerator.zones": ["us-central1-a", "us-central1-a"]},
        path="accelerator.zones",
        value="[us-central1-a, us-central1-a]",
        rule="is listed twice",
        fix="once",
    ),
    Wrong(
        id="LLMD-IMAGE-KIND",
        name="an image for other hardware",
        changes={"models[0].image": "europe-docker.pkg.dev/mine/own/vllm-tpu:v0.19.0"},
        path="models[0].image",
        value="europe-docker.pkg.dev/mine/own/vllm-tpu:v0.19.0",
        rule="by its name this image is for TPUs, and the pool has NVIDIA GPUs",
        fix="remove image",
        severity=Severity.WARNING,
    ),
    *(
        Wrong(
            id="LLMD-IMAGE-KIND",
            name=f"a published image for other hardware: {image} on {stack}",
            stack=stack,
            changes={"models[0].image": image},
            path="models[0].image",
            value=image,
            rule=f"this image is for {hardware}, and the pool has {own}: the engine would not start",
            fix=f"or use another image of vLLM for {own}",
        )
        for stack, own, images in (
            ("gpu", "NVIDIA GPUs", {"docker.io/vllm/vllm-tpu:v0.26.0": "TPUs"}),
            (
                "tpu",
                "TPUs",
                {"vllm/vllm-openai:v0.26.0": "NVIDIA GPUs", "ghcr.io/llm-d/llm-d-cuda:v0.6.0": "NVIDIA GPUs"},
            ),
            *(
                (
                    stack,
                    own,
                    {
                        "vllm/vllm-openai-rocm:v0.26.0": "AMD GPUs",
                        "rocm/vllm:rocm7.0_mi300_vllm_0.20.0": "AMD GPUs",
                        "vllm/vllm-openai-xpu:v0.26.0": "Intel GPUs",
                        "ghcr.io/llm-d/llm-d-hpu:v0.7.0": "Intel Gaudi",
                        "public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.26.0": "processors",
                        "public.ecr.aws/neuron/pytorch-inference-vllm-neuronx:0.24.0.1.1.0": "AWS Trainium",
                    },
                )
                for stack, own in (("gpu", "NVIDIA GPUs"), ("tpu", "TPUs"))
            ),
        )
        for image, hardware in images.items()
    ),
    Wrong(
        id="LLMD-IMAGE-KIND",
        name="an image for x86 on Arm hosts",
        changes={
            "location": "us-central1-a",
            "accelerator": {"type": "nvidia-gb200", "reservation": "mine"},
            "models[0].image": "vllm/vllm-openai:v0.26.0-x86_64",
        },
        path="models[0].image",
        value="vllm/vllm-openai:v0.26.0-x86_64",
        rule="for x86 processors, and the pool has Arm hosts (a4x-highgpu-4g, arm64)",
        fix="remove image",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-IMAGE-KIND",
        name="an image of another engine",
        changes={"models[0].image": "lmsysorg/sglang:v0.5.0"},
        path="models[0].image",
        value="lmsysorg/sglang:v0.5.0",
        rule="of SGLang",
        fix="remove image",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-MODEL-FORMAT",
        name="weights for another program",
        changes={"models[0].id": "Qwen/Qwen3-8B-GGUF"},
        path="models[0].id",
        value="Qwen/Qwen3-8B-GGUF",
        rule="holds weights as GGUF",
        fix="use Qwen/Qwen3-8B",
        severity=Severity.WARNING,
    ),
    *(
        Wrong(
            id="LLMD-MODEL-KIND",
            name=f"model {model}",
            changes={"models[0].id": model},
            path="models[0].id",
            value=model,
            rule=rule,
            fix=fix,
            severity=severity,
        )
        for model, rule, fix, severity in (
            ("openai/gpt-4o", "is a service of its vendor", "openai/gpt-oss-20b", Severity.ERROR),
            ("claude-3-opus", "is a service of its vendor", "openai/gpt-oss-20b", Severity.ERROR),
            ("stabilityai/stable-diffusion-xl-base-1.0", "makes images", "generates text", Severity.WARNING),
            ("openai/whisper-large-v3", "at /v1/audio", '"/v1/audio/*"', Severity.WARNING),
            ("BAAI/bge-m3", "answers /v1/embeddings", "/v1/embeddings", Severity.WARNING),
            ("BAAI/bge-reranker-v2-m3", "answers /v1/rerank", '"/v1/rerank"', Severity.WARNING),
            ("cross-encoder/ms-marco-MiniLM-L-6-v2", "answers /v1/rerank", '"/v1/rerank"', Severity.WARNING),
        )
    ),
    _variable("LLMD-ENV-DEVICES", "CUDA_VISIBLE_DEVICES", "0", "the scheduler assigned", "remove CUDA_VISIBLE_DEVICES"),
    _variable("LLMD-ENV-IMAGE", "PATH", "/x", "a value in env replaces it", "remove PATH"),
    _variable("LLMD-ENV-IMAGE", "PYTHONHOME", "/opt/py", "a value in env replaces it", "remove PYTHONHOME"),
    _variable("LLMD-ENV-IMAGE", "PYTHONPATH", "/p", "replaces it", "remove PYTHONPATH", Severity.WARNING),
    _variable("LLMD-ENV-IMAGE", "PATH", "/opt/a:/usr/bin", "replaces it", "remove PATH", Severity.WARNING),
    _variable("LLMD-ENV-INTERNAL", "VLLM_PORT", "9000", "own processes", "remove VLLM_PORT", Severity.WARNING),
    _variable("LLMD-ENV-OFFLINE", "HF_HUB_OFFLINE", "1", "downloads the weights", "models[].source"),
    _argument("a word without an option", ["seed"], 0, "behind no option", "write --seed"),
    _argument("an option without a value", ["--seed"], 0, "takes a value", "next element"),
    _argument("a switch with a value", ["--enforce-eager", "false"], 1, "is a switch", "--no-enforce-eager"),
    _argument("a switch with a value behind a sign", ["--enforce-eager=true"], 0, "is a switch", "alone"),
    _argument("a word for a number", ["--seed", "abc"], 1, "a whole number", "'8'"),
    _argument("one of other choices", ["--uvicorn-log-level", "warn"], 1, "takes critical", "use warning"),
    _argument("JSON without quotes", ["--hf-overrides", "{a: 1}"], 1, "JSON", "value"),
    Wrong(
        id="LLMD-ENGINE-TWICE",
        name="an option twice",
        changes={"models[0].extraArgs": ["--seed", "1", "--seed", "2"], "models[0].allowExtraArgs": True},
        path="models[0].extraArgs[2]",
        value="--seed",
        rule="takes the last one",
        fix="keep one",
        severity=Severity.WARNING,
    ),
    *(
        Wrong(
            id="LLMD-NAMESPACE-NEW",
            name=f"an object in a namespace that is not there yet: {path}",
            changes=changes,
            path=path,
            value=value,
            rule=f"so this {kind} cannot be there before the first `up`",
            fix=fix,
            severity=Severity.WARNING,
        )
        for path, value, kind, changes, fix in (
            (
                "huggingFace.existingSecret",
                "mine",
                "Secret",
                {"huggingFace": {"existingSecret": "mine"}},
                "huggingFace.token",
            ),
            ("registry.existingSecret", "pull", "Secret", {"registry.existingSecret": "pull"}, "username and password"),
            (
                "gateway.auth.existingSecret",
                "theirs",
                "Secret",
                _ISTIO | {"gateway.auth": {"kind": "api-keys", "existingSecret": "theirs"}},
                "secretManagerSecret",
            ),
            ("gateway.tls.secret", "edge", "Secret", _ISTIO, "kind: cert-manager"),
            (
                "models[0].source.claim",
                "weights",
                "PersistentVolumeClaim",
                {
                    "models[0].source": {"kind": "volume-claim", "claim": "weights", "path": "gemma"},
                    "accelerator.nodes.max": 1,
                },
                "kind: bucket",
            ),
        )
    ),
    *(
        Wrong(
            id="LLMD-PROVIDER-SETTING",
            name=f"a setting of a provider: {key}",
            changes={key: value},
            path=key,
            value="(hidden)" if hidden else value,
            rule=rule,
            fix=fix,
        )
        for key, value, hidden, rule, fix in (
            ("gcp:project", "another", False, "llm-d:project only", "give both the project"),
            ("gcp:region", "us-east4", False, "llm-d:location only", "set llm-d:location"),
            ("gcp:impersonateServiceAccount", "a@b.iam", True, "its own", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"),
            ("gcp:defaultLabels", "{team: ml}", True, "its own", "llm-d:labels"),
            ("kubernetes:context", "prod", True, "reaches the cluster", "llm-d:cluster.existing"),
            ("kubernetes:namespace", "prod", False, "reaches the cluster", "llm-d:namespace"),
        )
    ),
    Wrong(
        id="LLMD-MONITORING-INTERVAL",
        name="an interval of metrics that nobody collects",
        changes={"monitoring": {"enabled": False, "intervalSeconds": 30}},
        path="monitoring.intervalSeconds",
        value="30",
        rule="no metrics are collected",
        fix="remove monitoring.intervalSeconds",
        severity=Severity.WARNING,
    ),
    *(
        Wrong(
            id="LLMD-MIRROR-UNUSED",
            name=f"a mirror of a registry without images: {host}",
            changes={"registry.mirrors": {host: "mirror.example.com/a", "*": "mirror.example.com"}},
            path=f'registry.mirrors["{host}"]',
            value="mirror.example.com/a",
            rule=f"no image or chart of this stack comes from {host}",
            fix=fix,
            severity=Severity.WARNING,
        )
        for host, fix in (("gchr.io", "did you mean ghcr.io?"), ("nvcr.example.org", "remove it"))
    ),
    Wrong(
        id="LLMD-NETWORK-POLICIES-OFF",
        name="no network policies",
        changes={"networkPolicies.enabled": False},
        path="networkPolicies.enabled",
        value="false",
        rule="past the Gateway",
        fix="acknowledge",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PRIVATE-ACCESS-UNUSED",
        name="private access without a bucket",
        changes={"networkPolicies.privateGoogleAccess": True},
        path="networkPolicies.privateGoogleAccess",
        value="true",
        rule="from buckets alone",
        fix="make stage",
        severity=Severity.WARNING,
    ),
    *(
        Wrong(
            id=f"LLMD-PRODUCTION-{kind}",
            name=f"production {kind}, {sign}",
            changes=changes | {"labels": labels},
            path=path,
            value=value,
            rule=f"{sign} says production",
            fix=fix,
            severity=Severity.WARNING,
        )
        for kind, sign, labels, changes, path, value, fix in (
            (
                "DELETABLE",
                "label env: prod",
                {"env": "prod"},
                {},
                "cluster.deletionProtection",
                "(missing)",
                "cluster.deletionProtection: true",
            ),
            (
                "SPOT",
                "label environment: production",
                {"environment": "production"},
                {"accelerator.provisioning": "spot", "cluster.deletionProtection": True},
                "accelerator.provisioning",
                "spot",
                "on-demand",
            ),
            (
                "SPOT",
                "cluster.deletionProtection",
                {},
                {"accelerator.provisioning": "spot", "cluster.deletionProtection": True},
                "accelerator.provisioning",
                "spot",
                "fallbacks",
            ),
        )
    ),
    Wrong(
        id="LLMD-NODES-PUBLIC",
        name="nodes on the internet",
        changes={"cluster.privateNodes": False},
        path="cluster.privateNodes",
        value="false",
        rule="an address on the internet",
        fix="Cloud NAT",
        severity=Severity.WARNING,
    ),
)
