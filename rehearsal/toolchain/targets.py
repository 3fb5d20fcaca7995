"""The binaries: their Go modules, packages and linker flags."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Target:
    """One binary; `module` is the folder beside this file whose go.mod pins it."""

    name: str
    module: str
    package: str

    @property
    def override(self) -> str:
        """The environment variable that names a ready binary instead (`REHEARSAL_KUBE_APISERVER`)."""
        return "REHEARSAL_" + self.name.upper().replace("-", "_")


# The Automation API parses `pulumi version`; clients read the API server's. Both come from the linker, not the module.
_VERSION_VARIABLES: Final = {
    "engine": ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", "github.com/pulumi/pulumi/pkg/v3"),
    "cluster": ("k8s.io/component-base/version.gitVersion", "k8s.io/kubernetes"),
    "router": (
        "github.com/llm-d/llm-d-inference-scheduler/pkg/sidecar/version.BuildRef",
        "github.com/llm-d/llm-d-inference-scheduler",
    ),
}

_TARGETS: Final = (
    # In the order of compilation: what shares packages stands together, so that progress is even.
    Target("etcd", "cluster", "go.etcd.io/etcd/server/v3"),
    Target("kube-apiserver", "cluster", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Target("kube-controller-manager", "cluster", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Target("kube-scheduler", "cluster", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Target("kwok", "cluster", "sigs.k8s.io/kwok/cmd/kwok"),
    Target("epp", "cluster", "sigs.k8s.io/gateway-api-inference-extension/cmd/epp"),
    Target("bbr", "cluster", "sigs.k8s.io/gateway-api-inference-extension/cmd/bbr"),
    Target("llm-d-inference-sim", "cluster", "github.com/llm-d/llm-d-inference-sim/cmd/llm-d-inference-sim"),
    Target("lws", "cluster", "sigs.k8s.io/lws/cmd"),
    # Apart from the cluster's: other versions of Kubernetes' libraries.
    Target("pulumi-resource-kubernetes", "charts", "./provider"),
    Target("llmisvc", "charts", "github.com/kserve/kserve/cmd/llmisvc"),
    Target("llm-d-inference-scheduler", "router", "github.com/llm-d/llm-d-inference-scheduler/cmd/epp"),
    Target("pd-sidecar", "router", "github.com/llm-d/llm-d-inference-scheduler/cmd/pd-sidecar"),
    Target("pulumi", "engine", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"),
)

TARGETS: Final = {target.name: target for target in _TARGETS}


def ldflags(module: str) -> str:
    if module not in _VERSION_VARIABLES:
        return "-s -w"
    variable, dependency = _VERSION_VARIABLES[module]
    return f"-s -w -X {variable}={pinned(module, dependency)}"


def pinned(module: str, dependency: str) -> str:
    """The version of a dependency as go.mod requires it: `v1.36.3`."""
    for line in (HERE / module / "go.mod").read_text().splitlines():
        words = line.removeprefix("require ").split()
        if len(words) >= 2 and words[0] == dependency and words[1].startswith("v"):
            return words[1]
    raise ValueError(f"{module}/go.mod does not require {dependency}")


def cache_root() -> Path:
    """Shared by every clone: $LLM_D_REHEARSAL_CACHE, else below $XDG_CACHE_HOME, else below ~/.cache."""
    own = os.environ.get("LLM_D_REHEARSAL_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "llm-d-rehearsal"


def cache_of(module: str) -> Path:
    """Where the binaries of one set of pins live; another pin, flag or architecture is another folder."""
    digest = hashlib.sha256()
    for text in (
        (HERE / module / "go.mod").read_bytes(),
        (HERE / module / "go.sum").read_bytes(),
        *(file.read_bytes() for file in sorted((HERE / module).rglob("*.go"))),
        ldflags(module).encode(),
        f"{platform.system()}/{platform.machine()}".encode(),
    ):
        digest.update(hashlib.sha256(text).digest())
    return cache_root() / digest.hexdigest()[:16]
