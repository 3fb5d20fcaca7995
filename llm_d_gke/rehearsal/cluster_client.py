"""Connects to the API server of a stack."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import yaml

from llm_d_gke.kube.client import Kube
from llm_d_gke.kube.types import KubeError
from llm_d_gke.rehearsal.paths import StackPaths


def client(paths: StackPaths, *, on_warning: Callable[[str], None] | None = None) -> Kube:
    """A connection to the stack's cluster as its administrator.

    `on_warning` gets each warning the server attaches to an answer (deprecated versions, Pod Security `warn`).
    Raises KubeError when the stack has no cluster.
    """
    return Kube(*administrator(paths), on_warning=on_warning)


def administrator(paths: StackPaths) -> tuple[str, ssl.SSLContext]:
    """The address of the stack's API server, and TLS with the certificate of its administrator. Raises KubeError."""
    if not paths.kubeconfig.exists():
        raise KubeError(f"stack {paths.stack} has no cluster: {paths.kubeconfig} does not exist")
    config = yaml.safe_load(paths.kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    folder = paths.kubeconfig.parent

    def file(name: str) -> str:
        return str(folder / Path(name))

    context = ssl.create_default_context(cafile=file(cluster["certificate-authority"]))
    context.load_cert_chain(file(user["client-certificate"]), file(user["client-key"]))
    return str(cluster["server"]), context
