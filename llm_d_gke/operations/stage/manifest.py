"""Kubernetes objects of the Job. It is the only pod that has the Hub's token, and it cannot reach the stack's pods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_d_gke.operations.cluster_job import OWNER, egress_policy, job, metadata_of
from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.serving.bucket import DRIVER, VOLUMES_ANNOTATION
from llm_d_gke.planning.serving.engine_paths import TOKEN_DIRECTORY, TOKEN_KEY
from llm_d_gke.settings.models import BucketSource, ModelSettings

_SCRIPT = Path(__file__).with_name("copy_weights.py")
_BUCKET, _SCRATCH, _CODE = "/bucket", "/scratch", "/code"
# Room for one file at a time; shards of published models have 5 to 10 GB.
_SCRATCH_GIB = 15
# HTTPS, and the metadata server that gives the pod its identity.
_DESTINATIONS = (("0.0.0.0/0", (443,)), ("169.254.169.254/32", (80,)), ("169.254.169.252/32", (988,)))


def stage_name(model: ModelPlan) -> str:
    return f"{model.key}-stage"


def token_secret(model: ModelPlan) -> str:
    return f"{stage_name(model)}-token"


def objects(plan: StackPlan, model: ModelPlan, settings: ModelSettings, source: BucketSource) -> list[dict[str, Any]]:
    """ServiceAccount, script, NetworkPolicy and Job, in the order in which they are applied."""
    metadata = metadata_of(plan, stage_name(model))
    script = {_SCRIPT.name: _SCRIPT.read_text(encoding="utf-8")}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata,
            "automountServiceAccountToken": False,
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": script},
        *([egress_policy(metadata, _DESTINATIONS)] if plan.network_policies else []),
        _job(plan, model, settings, source, metadata),
    ]


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
        "volumeMounts": [
            {"name": "bucket", "mountPath": _BUCKET},
            {"name": "scratch", "mountPath": _SCRATCH},
            {"name": "code", "mountPath": _CODE, "readOnly": True},
            {"name": "token", "mountPath": TOKEN_DIRECTORY, "readOnly": True},
        ],
    }
    bucket = {
        "driver": DRIVER,
        "volumeAttributes": {"bucketName": source.bucket, "mountOptions": f"implicit-dirs,{OWNER}"},
    }
    token = {"secretName": token_secret(model), "optional": True, "defaultMode": 0o440}
    volumes = [
        {"name": "bucket", "csi": bucket},
        {"name": "scratch", "emptyDir": {"sizeLimit": f"{_SCRATCH_GIB}Gi"}},
        {"name": "code", "configMap": {"name": metadata["name"]}},
        {"name": "token", "secret": token},
    ]
    pod: dict[str, Any] = {"serviceAccountName": metadata["name"]}
    if server.pull_secret:
        pod["imagePullSecrets"] = [{"name": server.pull_secret}]
    annotations = {VOLUMES_ANNOTATION: "true"}
    return job(plan, metadata, container, volumes, retries=4, pod=pod, annotations=annotations)
