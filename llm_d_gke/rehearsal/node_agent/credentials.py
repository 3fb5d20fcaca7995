"""A kubeconfig with the token of a pod's ServiceAccount, so that missing permissions fail as they do on GKE."""

from __future__ import annotations

import os
from pathlib import Path

import yaml

from llm_d_gke.rehearsal.kube import Kube, Manifest
from llm_d_gke.rehearsal.paths import StackPaths

# A token is bound to its pod and expires with it at the latest.
LIFETIME_SECONDS = 7 * 24 * 3600


def write_kubeconfig(kube: Kube, paths: StackPaths, pod: Manifest, file: Path) -> None:
    """Write `file`, readable by its owner only. Raises KubeError when the ServiceAccount does not exist."""
    namespace = pod["metadata"]["namespace"]
    account = pod["spec"].get("serviceAccountName") or "default"
    request: Manifest = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "expirationSeconds": LIFETIME_SECONDS,
            "boundObjectRef": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            },
        },
    }
    answer = kube.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", body=request)
    admin = yaml.safe_load(paths.kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    authority = str(paths.kubeconfig.parent / Path(admin["certificate-authority"]))
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "clusters": [{"name": "rehearsal", "cluster": {"server": kube.server, "certificate-authority": authority}}],
        "users": [{"name": account, "user": {"token": answer["status"]["token"]}}],
        "contexts": [{"name": "pod", "context": {"cluster": "rehearsal", "user": account, "namespace": namespace}}],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        yaml.safe_dump(config, output)
