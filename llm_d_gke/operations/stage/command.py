"""Implements the command `stage`: writes the Job's manifest and prints the commands that run it and clean up after it.

The Job's pod is the only one that has the Hub's token, and it cannot reach the stack's pods.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.cli.exits import DONE, REFUSED
from llm_d_gke.cli.files import write_file
from llm_d_gke.go_yaml import dump_yaml
from llm_d_gke.operations.cluster_job import OWNER, account, egress_policy, job, metadata_of
from llm_d_gke.planning import StackPlan, plan_config
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.routing.network_policies import https_access, metadata_access
from llm_d_gke.planning.serving.bucket import DRIVER, VOLUMES_ANNOTATION
from llm_d_gke.planning.serving.engine_paths import TOKEN_DIRECTORY, TOKEN_KEY
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.models import BucketSource, ModelSettings
from llm_d_gke.stackfile.assumptions import load_assumed, project_note, shown_project
from llm_d_gke.wording import WIDTH, count, wrapped


def write_stage(stack: str, changes: Mapping[str, str], out: Path) -> int:
    """Write `out` for every model of the stack that reads a bucket. Raises RefusedError for a stack that is refused."""
    configuration = load_assumed(stack, changes)
    plan = plan_config(stack, configuration)
    settings = StackSettings.model_validate(configuration.settings())
    staged = [
        (model, own, own.source)
        for model, own in zip(plan.models, settings.models, strict=True)
        if isinstance(own.source, BucketSource)
    ]
    if not staged:
        print(
            wrapped(
                f"no model of stack {stack} reads a bucket. Set llm-d:models[0].source: {{kind: bucket, bucket:"
                f" my-models, path: {settings.models[0].id.rpartition('/')[2].lower()}}}"
            ),
            file=sys.stderr,
        )
        return REFUSED
    documents = [body for model, own, source in staged for body in objects(plan, model, own, source)]
    write_file(out, dump_yaml(*documents))
    print(f"wrote {out}: {count(len(staged), 'Job')} on a CPU node\n")
    for line in _commands(plan, staged, out):
        print(line)
    return DONE


def _commands(plan: StackPlan, staged: list[tuple[ModelPlan, ModelSettings, BucketSource]], out: Path) -> Iterator[str]:
    namespace = plan.namespace.name
    catalog_ = catalog.load()
    yield _comment("The cluster, from an up with llm-d:paused: true where the bucket is still empty")
    yield shown_project(plan.get_credentials)
    yield "\n" + _comment("The Job may write to its bucket, and to no other")
    for model, _, source in staged:
        yield _binding("add", plan, model, source)
    for model, own, _ in staged:
        entry = catalog_.find_model(own.id)
        if entry is None or entry.gated:
            yield "\n" + _comment(
                f"The token of a gated model: in this Secret only, which only the Job of {own.id} mounts"
            )
            yield "read -rsp 'Hugging Face token: ' HF_TOKEN"
            yield (
                f"kubectl create secret generic {token_secret(model)} --namespace {namespace}"
                ' --from-file=HF_TOKEN=<(printf %s "$HF_TOKEN")'
            )
            yield "unset HF_TOKEN"
    yield "\n" + _comment("Copy; a second run goes on where the first one stopped")
    yield f"kubectl apply -f {out}"
    for model, *_ in staged:
        yield f"kubectl logs --namespace {namespace} job/{stage_name(model)} --container copy --follow"
        yield f"kubectl wait --namespace {namespace} --for=condition=Complete job/{stage_name(model)} --timeout=2h"
    yield "\n" + _comment("Leave nothing behind, the token first")
    for model, _, source in staged:
        yield f"kubectl delete secret {token_secret(model)} --namespace {namespace} --ignore-not-found"
        yield _binding("remove", plan, model, source)
    yield f"kubectl delete -f {out}"
    if note := project_note(plan.project):
        yield "\n" + _comment(note)


def _comment(text: str) -> str:
    """Lines that a shell passes over, when they are pasted with the commands."""
    return indent(wrapped(text, WIDTH - len("# ")), "# ")


def _binding(verb: str, plan: StackPlan, model: ModelPlan, source: BucketSource) -> str:
    member = f"serviceAccount:{shown_project(plan.project)}.svc.id.goog[{plan.namespace.name}/{stage_name(model)}]"
    return (
        f"gcloud storage buckets {verb}-iam-policy-binding gs://{source.bucket} --member '{member}'"
        " --role roles/storage.objectUser"
    )


_SCRIPT = Path(__file__).with_name("copy_weights.py")
_BUCKET, _SCRATCH, _CODE = "/bucket", "/scratch", "/code"
# Room for one file at a time; shards of published models have 5 to 10 GB.
_SCRATCH_GIB = 15


def stage_name(model: ModelPlan) -> str:
    return f"{model.key}-stage"


def token_secret(model: ModelPlan) -> str:
    return f"{stage_name(model)}-token"


def objects(plan: StackPlan, model: ModelPlan, settings: ModelSettings, source: BucketSource) -> list[dict[str, Any]]:
    """ServiceAccount, script, NetworkPolicy and Job, in the order in which they are applied."""
    metadata = metadata_of(plan, stage_name(model))
    script = {_SCRIPT.name: _SCRIPT.read_text(encoding="utf-8")}
    return [
        account(metadata),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": script},
        *([egress_policy(metadata, [*https_access(), *metadata_access()])] if plan.network_policies else []),
        _job(plan, model, settings, source, metadata),
    ]


def _job(
    plan: StackPlan, model: ModelPlan, settings: ModelSettings, source: BucketSource, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    server = model.servers[0].pod
    entry = catalog.load().find_model(settings.id)
    # The catalog's commit, as servers that download it take.
    revision = (entry.revision if entry else None) or ""
    container = {
        "name": "copy",
        "image": server.image,
        "imagePullPolicy": "Always",
        "command": ["python3", f"{_CODE}/{_SCRIPT.name}"],
        "args": [settings.id, revision, f"{_BUCKET}/{source.path.strip('/')}", _SCRATCH],
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
    secrets = {"imagePullSecrets": [{"name": server.pull_secret}]} if server.pull_secret else {}
    annotations = {VOLUMES_ANNOTATION: "true"}
    return job(plan, metadata, container, {**secrets, "volumes": volumes}, annotations=annotations, backoffLimit=4)
