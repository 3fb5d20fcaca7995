"""A client for the cluster of a kubeconfig, with the credential plugin that gcloud writes into it."""

from __future__ import annotations

import base64
import binascii
import json
import os
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.kube import Kube
from llm_d_gke.operations.live_stack.stack import LiveStackError

_PLUGIN_SECONDS = 60


def connect(kubeconfig: Path) -> Kube:
    """A client for the current context of a kubeconfig.

    Raises LiveStackError where the file or its credential plugin does not lead to a cluster.
    """
    try:
        document = yaml.safe_load(kubeconfig.read_text(encoding="utf-8")) or {}
        context = _entry_named(document, "contexts", document["current-context"])["context"]
        cluster = _entry_named(document, "clusters", context["cluster"])["cluster"]
        user = _entry_named(document, "users", context["user"])["user"]
        server = str(cluster["server"])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise LiveStackError(
            f"{kubeconfig} describes no cluster ({error}): run gcloud's get-credentials again"
        ) from None
    credentials = _run_plugin(user["exec"]) if "exec" in user else dict(user)
    tls = _trust(cluster)
    _load_certificate(tls, credentials)
    return Kube(server, tls, token=credentials.get("token"), trust_env=True)


def _entry_named(document: dict[str, Any], section: str, name: str) -> dict[str, Any]:
    for entry in document[section]:
        if entry["name"] == name:
            result: dict[str, Any] = entry
            return result
    raise KeyError(f"no {section[:-1]} named {name}")


def _run_plugin(plugin: dict[str, Any]) -> dict[str, Any]:
    """Credentials from an exec plugin (client.authentication.k8s.io), without asking the user anything."""
    command = [plugin["command"], *(plugin.get("args") or [])]
    request = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    own = {variable["name"]: variable["value"] for variable in plugin.get("env") or []}
    environment = {**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(request)}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PLUGIN_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = plugin.get("installHint") or "gcloud components install gke-gcloud-auth-plugin"
        raise LiveStackError(f"the credential plugin {command[0]} did not run ({error}). {hint.strip()}") from None
    try:
        status = json.loads(done.stdout)["status"]
    except (ValueError, KeyError):
        raise LiveStackError(
            f"the credential plugin {command[0]} gave no credentials: {done.stderr.strip()[:400] or 'no output'}. "
            "Log in with: gcloud auth login"
        ) from None
    return {
        "token": status.get("token"),
        "client-certificate-data": _encoded(status.get("clientCertificateData")),
        "client-key-data": _encoded(status.get("clientKeyData")),
    }


def _encoded(text: str | None) -> str | None:
    return None if text is None else base64.b64encode(text.encode()).decode()


def _trust(cluster: dict[str, Any]) -> ssl.SSLContext:
    """The cluster's own authority, or the public ones: GKE's DNS endpoint has a public certificate."""
    if data := cluster.get("certificate-authority-data"):
        return ssl.create_default_context(cadata=_decoded(data))
    return ssl.create_default_context(cafile=cluster.get("certificate-authority"))


def _load_certificate(context: ssl.SSLContext, user: dict[str, Any]) -> None:
    if user.get("client-certificate-data"):
        # Python loads a client certificate from files only.
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder) / "tls.crt", Path(folder) / "tls.key"
            certificate.write_text(_decoded(user["client-certificate-data"]), encoding="utf-8")
            key.touch(mode=0o600)
            key.write_text(_decoded(user["client-key-data"]), encoding="utf-8")
            context.load_cert_chain(certificate, key)
    elif user.get("client-certificate"):
        context.load_cert_chain(user["client-certificate"], user["client-key"])


def _decoded(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise LiveStackError(
            "a certificate of the kubeconfig is not base64: run gcloud's get-credentials again"
        ) from None
