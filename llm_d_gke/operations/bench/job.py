"""Runs the load as a Job in the cluster: the path from a workstation to the Gateway is not part of what is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from llm_d_gke.operations.bench.scenario import Scenario
from llm_d_gke.operations.cluster_job import LABEL, account, egress_policy, job, metadata_of
from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.plan.routing import AccessPlan, PeerPlan

# The maintainers' image of the version that `make bench-env` installs (kubernetes-sigs/inference-perf docs on releases;
# digest as public users of v0.7.0 pinned it, September 2026).
IMAGE = (
    "quay.io/inference-perf/inference-perf:v0.7.0"
    "@sha256:d247e6ad725dc5bb56df71d115abc8ca455bba9f0ccd4110e14bbb56504250ec"
)
RESULTS = "/results"
_CONFIGURATION = "/configuration"
_FILE = "inference-perf.yaml"
# For how long the container waits for `kubectl cp`; without a copy it ends by itself.
_KEPT_SECONDS = 3600
_PORTS = {"http": 80, "https": 443}


def job_objects(
    plan: StackPlan, scenario: Scenario, configuration: Mapping[str, Any], name: str, url: str
) -> list[dict[str, Any]]:
    """The Job and what it needs, in the order to apply them. The Secret of the configuration may hold a key."""
    metadata = metadata_of(plan, name)
    volumes = [
        {"name": "configuration", "secret": {"secretName": name, "defaultMode": 0o440}},
        {"name": "results", "emptyDir": {"sizeLimit": "2Gi"}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "2Gi"}},
    ]
    # The Gateway, and the Hub by HTTPS.
    address = urlsplit(url)
    ports = sorted({443, address.port or _PORTS[address.scheme]})
    anywhere = AccessPlan(peers=(PeerPlan(cidr="0.0.0.0/0"),), ports=tuple(("TCP", port) for port in ports))
    return [
        account(metadata),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "stringData": {_FILE: yaml.safe_dump(dict(configuration), sort_keys=False)},
        },
        *([egress_policy(metadata, [anywhere])] if plan.network_policies else []),
        # A second try would add its requests to those of the first.
        job(
            plan,
            metadata,
            _container(scenario),
            {"volumes": volumes},
            backoffLimit=0,
            ttlSecondsAfterFinished=24 * 3600,
        ),
    ]


def _container(scenario: Scenario) -> dict[str, Any]:
    in_flight = max(stage.concurrency for stage in scenario.stages)
    run = f"inference-perf --config_file {_CONFIGURATION}/{_FILE} && touch {RESULTS}/done && sleep {_KEPT_SECONDS}"
    return {
        "name": "load",
        "image": IMAGE,
        "imagePullPolicy": "Always",
        "command": ["/bin/sh", "-c", run],
        # The tokenizer comes from the Hub.
        "env": [{"name": name, "value": "/scratch"} for name in ("HOME", "HF_HOME", "TMPDIR")],
        "resources": {
            # Two worker processes; more in flight takes memory for the answers.
            "requests": {"cpu": "1", "memory": "2Gi", "ephemeral-storage": "4Gi"},
            "limits": {"cpu": "2", "memory": "4Gi" if in_flight <= 100 else "8Gi", "ephemeral-storage": "5Gi"},
        },
        "volumeMounts": [
            {"name": "configuration", "mountPath": _CONFIGURATION, "readOnly": True},
            {"name": "results", "mountPath": RESULTS},
            {"name": "scratch", "mountPath": "/scratch"},
        ],
    }


def commands(plan: StackPlan, name: str, manifest: Path, out: Path, read: str) -> Iterator[str]:
    """The shell commands that run the Job, fetch its files, read them, and clean up."""
    namespace = f"--namespace {plan.namespace.name}"
    yield f"kubectl apply -f {manifest}"
    yield f"kubectl wait {namespace} --for=condition=Ready pod -l {LABEL}={name} --timeout=10m"
    yield f"kubectl logs {namespace} job/{name} --follow   # until the summary; then Ctrl-C"
    yield f"pod=$(kubectl get pods {namespace} -l {LABEL}={name} -o name)"
    yield f"kubectl cp {namespace} ${{pod#pod/}}:{RESULTS} {out}"
    yield read
    yield f"kubectl delete -f {manifest}"
