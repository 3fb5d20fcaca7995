"""Pulumi's own Kubernetes provider as a plugin of a stack's engine.

The engine starts it for each provider of the program, with the kubeconfig that the program renders. Its environment is
the process's own: the credential plugin of GKE answers with the administrator's certificate of the local cluster, and
registries of charts are reached through a proxy that serves them locally.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from llm_d_gke.rehearsal.control_plane.parts import credential_file
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.paths import StackPaths, difference, record_difference
from llm_d_gke.rehearsal.toolchain.build import binaries, is_ready, module_dir
from llm_d_gke.rehearsal.toolchain.plugins import (
    KUBERNETES,
    download_plugin,
    installed_plugin,
    kubernetes_version,
    plugin_folder,
)
from llm_d_gke.rehearsal.toolchain.targets import TARGETS, pinned

Report = Callable[[str], None]

_MODULE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PINS = TARGETS[KUBERNETES].module
# The address of the charts' proxy, `http://127.0.0.1:<port>`. Each command has its own.
PROXY_VARIABLE = "REHEARSAL_CHARTS_PROXY"
_CREDENTIAL_PLUGIN = "gke-gcloud-auth-plugin"


def install_plugin(paths: StackPaths, pulumi: Path, report: Report) -> None:
    """Install the provider into the PULUMI_HOME of a stack. The engine's environment holds `PROXY_VARIABLE`."""
    executable, variables = _provider(paths, pulumi, report)
    commands = paths.pulumi_home / "bin"
    write_script(commands / _CREDENTIAL_PLUGIN, f"exec cat {shlex.quote(str(credential_file(paths)))}")
    variables |= {
        # A public authority signs the certificates of DNS endpoints and registries. Here it is the stack's own.
        "SSL_CERT_FILE": str(paths.cluster.absolute() / "pki" / "ca.crt"),
        "NO_PROXY": "",
        "no_proxy": "",
        # Helm's caches and its list of logins.
        **{f"HELM_{kind}_HOME": str(paths.pulumi_home / "helm") for kind in ("CACHE", "CONFIG", "DATA")},
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(f'export HTTPS_PROXY="${PROXY_VARIABLE}"')
    lines.append(f'export PATH={shlex.quote(str(commands))}:"$PATH"')
    lines.append(f'exec {shlex.quote(str(executable))} "$@"')
    write_script(plugin_folder(paths.pulumi_home) / KUBERNETES, *lines)


def end_orphans(paths: StackPaths) -> None:
    """End the providers of a killed engine: they would go on with what they were doing for minutes."""
    for process in psutil.process_iter(["name"]):
        # The kernel cuts a name after 15 characters.
        if not KUBERNETES.startswith(process.info["name"] or "") or not _is_of(process, paths):
            continue
        with suppress(psutil.Error):
            parent = process.parent()
            if parent is None or not _is_of(parent, paths):
                process.kill()


def _is_of(process: psutil.Process, paths: StackPaths) -> bool:
    """Whether a process has the stack's PULUMI_HOME. Processes of other users do not show their environment."""
    try:
        return bool(process.environ().get("PULUMI_HOME") == str(paths.pulumi_home))
    except psutil.Error:
        return False


def _provider(paths: StackPaths, pulumi: Path, report: Report) -> tuple[Path, dict[str, str]]:
    """The executable, and the variables that it needs: Pulumi's plugin where there is one, else the Go module's."""
    own = os.environ.get(TARGETS[KUBERNETES].override)
    plugin = None if own else installed_plugin()
    if plugin is None and not is_ready(KUBERNETES):
        plugin = download_plugin(pulumi, report)
    if plugin is not None:
        return plugin, {}
    executable = binaries([KUBERNETES], report)[KUBERNETES]
    if not own:
        record_difference(
            paths, difference("kubernetes-provider", module=pinned(_PINS, _MODULE), version=kubernetes_version())
        )
    schema = module_dir(_MODULE, _PINS) / "cmd" / KUBERNETES / "schema.json"
    return executable, {"REHEARSAL_PROVIDER_SCHEMA": str(schema), "REHEARSAL_PROVIDER_VERSION": kubernetes_version()}


def write_script(file: Path, *lines: str) -> None:
    """Write a script unless it exists: another command of the stack may be about to start it."""
    text = "\n".join(["#!/bin/sh", *lines, ""])
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        atomic_write(file, text, mode=0o700)
