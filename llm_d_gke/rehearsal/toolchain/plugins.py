"""Finds Pulumi's own plugin of the Kubernetes provider, before it is built from source."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from llm_d_gke.rehearsal.toolchain.targets import cache_root

KUBERNETES: Final = "pulumi-resource-kubernetes"
# A download that has not ended by then is slower than a build.
_DOWNLOAD_SECONDS: Final = 300.0


def kubernetes_version() -> str:
    """The version of the plugin that the program's SDK requests: `4.34.2`."""
    return importlib.metadata.version("pulumi-kubernetes")


def plugin_folder(home: Path) -> Path:
    """The folder of the plugin below a PULUMI_HOME."""
    return home / "plugins" / f"resource-kubernetes-v{kubernetes_version()}"


def installed_plugin() -> Path | None:
    """The plugin of the requested version that Pulumi has on this machine, None without one."""
    own = os.environ.get("PULUMI_HOME")
    homes = [Path(own) if own else Path.home() / ".pulumi", _download_home()]
    candidates = [plugin_folder(home) / KUBERNETES for home in homes]
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def download_plugin(pulumi: Path, report: Callable[[str], None]) -> Path | None:
    """`pulumi plugin install` into the cache that all clones share. None where the network does not have it."""
    report(f"downloading Pulumi's Kubernetes provider v{kubernetes_version()}")
    home = _download_home()
    home.mkdir(parents=True, exist_ok=True)
    command = [str(pulumi), "plugin", "install", "resource", "kubernetes", f"v{kubernetes_version()}"]
    environment = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        subprocess.run(command, env=environment, capture_output=True, check=True, timeout=_DOWNLOAD_SECONDS)
    except (OSError, subprocess.SubprocessError):
        report("it cannot be downloaded here, so it is built from its Go module")
        return None
    path = plugin_folder(home) / KUBERNETES
    return path if os.access(path, os.X_OK) else None


def _download_home() -> Path:
    return cache_root() / "pulumi"
