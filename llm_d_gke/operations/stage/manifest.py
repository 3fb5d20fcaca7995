"""Kubernetes objects of the Job. It is the only pod that has the Hub's token, and it cannot reach the stack's pods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.serving.bucket import DRIVER, VOLUMES_ANNOTATION
from llm_d_gke.planning.serving.engine_paths import TOKEN_DIRECTORY, TOKEN_KEY
from llm_d_gke.settings.models import BucketSource, ModelSettings

_SCRIPT = Path(__file__).with_name("copy_weights.py")
_USER = 12000
_BUCKET, _SCRATCH, _CODE = "/bucket", "/scratch", "/code"
# Room for one file at a time; shards of published models have 5 to 10 GB.
_SCRATCH_GIB = 15
_LABEL = "app.kubernetes.io/name"


def stage_name(model: ModelPlan) -> str:
    return f"{model.key}-stage"


def token_secret(model: ModelPlan) -> str:
    return f"{stage_name(model)}-token"


def objects(plan: StackPlan, model: ModelPlan, settings: ModelSettings, source: BucketSource) -> list[dict[str, Any]]:
    """ServiceAccount, script, NetworkPolicy and Job, in the order in which they are applied."""
    labels = {_LABEL: stage_name(model)}
    metadata = {"name": stage_name(model), "namespace": plan.namespace.name, "labels": labels}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata,
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {_SCRIPT.name: _SCRIPT.read_text(encoding="utf-8")},
        },
        *([_policy(metadata, labels)] if plan.network_policies else []),
        _job(plan, model, settings, source, metadata),
    ]


def _policy(metadata: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """Out to name servers, to HTTPS, and to the metadata server that gives the pod its identity; nothing in."""
    dns = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    metadata_server = (("169.254.169.254/32", 80), ("169.254.169.252/32", 988))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": dict(metadata),
        "spec": {
            "podSelector": {"matchLabels": dict(labels)},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [
                {"ports": dns},
                {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]},
                *(
                    {"to": [{"ipBlock": {"cidr": cidr}}], "ports": [{"protocol": "TCP", "port": port}]}
                    for cidr, port in metadata_server
                ),
            ],
        },
    }


def _job(
    plan: StackPlan, model: ModelPlan, settings: ModelSettings, source: BucketSource, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    server = model.servers[0].pod
    container = {
        "name": "copy",
        "image": server.image,
        "imagePullPolicy": "Always",
        "command": ["python3", f"{_CODE}/{_SCRIPT.name}"],
        "args": [settings.id, "", f"{_BUCKET}/{source.path.strip('/')}", _SCRATCH],
        "env": [
            {"name": "HOME", "value": _SCRATCH},
            {"name": "TMPDIR", "value": _SCRATCH},
            {"name": "HF_HOME", "value": f"{_SCRATCH}/hugging-face"},
            {"name": "HF_TOKEN_PATH", "value": f"{TOKEN_DIRECTORY}/{TOKEN_KEY}"},
        ],
        "resources": {
            "requests": {"cpu": "1", "memory": "2Gi", "ephemeral-storage": f"{_SCRATCH_GIB}Gi"},
            "limits": {"cpu": "4", "memory": "4Gi", "ephemeral-storage": f"{_SCRATCH_GIB + 1}Gi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "bucket", "mountPath": _BUCKET},
            {"name": "scratch", "mountPath": _SCRATCH},
            {"name": "code", "mountPath": _CODE, "readOnly": True},
            {"name": "token", "mountPath": TOKEN_DIRECTORY, "readOnly": True},
        ],
    }
    bucket = {
        "driver": DRIVER,
        "volumeAttributes": {
            "bucketName": source.bucket,
            "mountOptions": f"implicit-dirs,uid={_USER},gid={_USER}",
        },
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": dict(metadata),
        "spec": {
            "backoffLimit": 4,
            "template": {
                "metadata": {"labels": metadata["labels"], "annotations": {VOLUMES_ANNOTATION: "true"}},
                "spec": {
                    "restartPolicy": "OnFailure",
                    "serviceAccountName": metadata["name"],
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    # The CPU pool: accelerators would be paid for and idle.
                    **(
                        {}
                        if plan.cpu_pool.autopilot
                        else {"nodeSelector": {"cloud.google.com/gke-nodepool": plan.cpu_pool.name}}
                    ),
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": _USER,
                        "runAsGroup": _USER,
                        "fsGroup": _USER,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    **({"imagePullSecrets": [{"name": server.pull_secret}]} if server.pull_secret else {}),
                    "containers": [container],
                    "volumes": [
                        {"name": "bucket", "csi": bucket},
                        {"name": "scratch", "emptyDir": {"sizeLimit": f"{_SCRATCH_GIB}Gi"}},
                        {"name": "code", "configMap": {"name": metadata["name"]}},
                        {
                            "name": "token",
                            "secret": {"secretName": token_secret(model), "optional": True, "defaultMode": 0o440},
                        },
                    ],
                },
            },
        },
    }
