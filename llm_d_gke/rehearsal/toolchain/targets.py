"""The binaries: their Go modules, packages and linker flags."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOOLCHAIN_FOLDER: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Target:
    """One binary; `module` is the folder beside this file whose go.mod pins it.

    `program` is the name without version: `bbr` of `bbr-v1.4.0`. `dependency` is the Go module that it comes from,
    where releases differ in its version. `tags` are build tags.
    """

    name: str
    module: str
    package: str
    program: str = ""
    dependency: str = ""
    tags: str = ""

    @property
    def override(self) -> str:
        """The environment variable that names a ready binary instead (`REHEARSAL_KUBE_APISERVER`)."""
        return "REHEARSAL_" + (self.program or self.name).upper().replace("-", "_")

    @property
    def file(self) -> str:
        """The name of the binary in the cache. A program of this project's own has another for every other source."""
        if not self.package.endswith(".go"):
            return self.name
        texts = [(TOOLCHAIN_FOLDER / self.module / source).read_bytes() for source in self.sources]
        return f"{self.name}-{hashlib.sha256(b''.join(texts)).hexdigest()[:8]}"

    @property
    def sources(self) -> tuple[str, ...]:
        """What `go build` compiles: a package, or a file of this project with the main.go of its folder."""
        if not self.package.endswith(".go"):
            return (self.package,)
        return tuple(dict.fromkeys((self.package, (Path(self.package).parent / "main.go").as_posix())))

    @property
    def executable(self) -> str:
        """The name that `go build` gives the program: the last part of the package's path that is no major version."""
        if self.package == ".":
            return self.module
        parts = self.package.removesuffix(".go").split("/")
        return parts[-2] if re.fullmatch(r"v([2-9]|[1-9][0-9]+)", parts[-1]) else parts[-1]

    @property
    def version(self) -> str:
        """The version of the target's Go module: `v1.5.0`."""
        return pinned(self.module, self.dependency)


_SCHEDULER: Final = "github.com/llm-d/llm-d-inference-scheduler"
_EXTENSION: Final = "sigs.k8s.io/gateway-api-inference-extension"
_PROCESSOR: Final = "github.com/llm-d/llm-d-inference-payload-processor"
_KSERVE: Final = "github.com/kserve/kserve"
_LWS: Final = "sigs.k8s.io/lws"
_KEDA: Final = "github.com/kedacore/keda/v2"
_PROMETHEUS: Final = "github.com/prometheus/prometheus"

# The Automation API parses `pulumi version`; clients read the API server's. Both come from the linker, not the module.
_VERSION_VARIABLES: Final = {
    "engine": ("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", "github.com/pulumi/pulumi/pkg/v3"),
    "cluster": ("k8s.io/component-base/version.gitVersion", "k8s.io/kubernetes"),
    "router": (f"{_SCHEDULER}/pkg/sidecar/version.BuildRef", _SCHEDULER),
}

_TARGETS: Final = (
    # In the order of compilation: targets with common packages are adjacent, so that progress is even.
    Target("etcd", "cluster", "go.etcd.io/etcd/server/v3"),
    Target("kube-apiserver", "cluster", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Target("kube-controller-manager", "cluster", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Target("kube-scheduler", "cluster", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Target("kwok", "cluster", "sigs.k8s.io/kwok/cmd/kwok"),
    Target("epp", "cluster", f"{_EXTENSION}/cmd/epp", "epp", _EXTENSION),
    Target("bbr", "cluster", f"{_EXTENSION}/cmd/bbr", "bbr", _EXTENSION),
    Target("llm-d-inference-sim", "cluster", "github.com/llm-d/llm-d-inference-sim/cmd/llm-d-inference-sim"),
    Target("lws", "cluster", f"{_LWS}/cmd", "lws", _LWS),
    Target("kubelet-streams", "cluster", "../kubelet_streams/main.go"),
    Target("payload-processor", "processor", f"{_PROCESSOR}/cmd", "payload-processor", _PROCESSOR),
    # Apart from the cluster's: other versions of Kubernetes' libraries.
    Target("pulumi-resource-kubernetes", "charts", "./provider"),
    Target("llmisvc", "kserve", f"{_KSERVE}/cmd/llmisvc", "llmisvc", _KSERVE),
    Target("llm-d-inference-scheduler", "router", f"{_SCHEDULER}/cmd/epp", "llm-d-inference-scheduler", _SCHEDULER),
    Target("pd-sidecar", "router", f"{_SCHEDULER}/cmd/pd-sidecar", "pd-sidecar", _SCHEDULER),
    Target("pulumi", "engine", "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"),
)


def _other_version(program: str, version: str, dependency: str, package: str) -> Target:
    """A further version of a program, with separate pins."""
    name = f"{program}-{version}"
    return Target(name, f"versions/{name}", f"{dependency}/{package}", program, dependency)


# Versions of the releases that are not the default. They are built when a stack or `make conformance` needs them.
_OTHER_VERSIONS: Final = (
    _other_version("epp", "v1.2.0", _EXTENSION, "cmd/epp"),
    _other_version("bbr", "v1.3.1", _EXTENSION, "cmd/bbr"),
    _other_version("bbr", "v1.4.0", _EXTENSION, "cmd/bbr"),
    _other_version("llm-d-inference-scheduler", "v0.4.0", _SCHEDULER, "cmd/epp"),
    # Of the same module, with its pins.
    Target(
        "pd-sidecar-v0.4.0",
        "versions/llm-d-inference-scheduler-v0.4.0",
        f"{_SCHEDULER}/cmd/pd-sidecar",
        "pd-sidecar",
        _SCHEDULER,
    ),
    _other_version("llmisvc", "v0.17.0", _KSERVE, "cmd/llmisvc"),
    Target("llmisvc-v0.19.0", "charts", f"{_KSERVE}/cmd/llmisvc", "llmisvc", _KSERVE),
    # The validation of webhooks alone, which needs no cluster.
    Target("kserve-webhook-v0.17.0", "versions/llmisvc-v0.17.0", "../../webhooks/kserve.go", "kserve-webhook", _KSERVE),
    Target("kserve-webhook-v0.19.0", "charts", "../webhooks/kserve.go", "kserve-webhook", _KSERVE),
    Target("kserve-webhook-v0.20.0", "kserve", "../webhooks/kserve.go", "kserve-webhook", _KSERVE),
    Target("lws-webhook", "cluster", "../webhooks/lws.go", "lws-webhook", _LWS),
)

# For stacks whose replicas follow the load, and for `make dashboard`.
_METRICS: Final = (
    Target("keda-operator", "keda", f"{_KEDA}/cmd/operator", "keda-operator", _KEDA),
    Target("keda-metrics-apiserver", "keda", f"{_KEDA}/cmd/adapter", "keda-metrics-apiserver", _KEDA),
    Target("keda-admission-webhooks", "keda", f"{_KEDA}/cmd/webhooks", "keda-admission-webhooks", _KEDA),
    # Targets are static, so it needs none of the service discoveries of two dozen clouds.
    Target("prometheus", "prometheus", f"{_PROMETHEUS}/cmd/prometheus", tags="remove_all_sd"),
    # For `make check-alerts`.
    Target("promtool", "prometheus", f"{_PROMETHEUS}/cmd/promtool", tags="remove_all_sd"),
)

# For `make scan`. Helm is the version that the Kubernetes provider installs charts with.
_SCANNERS: Final = (
    Target("kube-score", "scanners/kube-score", "github.com/zegl/kube-score/cmd/kube-score"),
    Target("helm", "scanners/helm", "helm.sh/helm/v3/cmd/helm"),
)

# For tests of programs in other languages: Pulumi's own generators of SDKs, of the engine's version.
_GENERATORS: Final = (Target("sdk-generator", "sdks", "."),)

# What an `up` of any stack runs: Pulumi's engine and the control plane.
EVERY_STACK: Final = ("pulumi", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
DEFAULTS: Final = tuple(target.name for target in _TARGETS)
TARGETS: Final = {target.name: target for target in (*_TARGETS, *_OTHER_VERSIONS, *_METRICS, *_SCANNERS, *_GENERATORS)}


def of_version(program: str, version: str) -> Target | None:
    """The target of a program in exactly this version; None where no go.mod here pins it."""
    built = (target for target in TARGETS.values() if target.program == program)
    return next((target for target in built if target.version == version), None)


def ldflags(module: str) -> str:
    if module not in _VERSION_VARIABLES:
        return "-s -w"
    variable, dependency = _VERSION_VARIABLES[module]
    return f"-s -w -X {variable}={pinned(module, dependency)}"


def pinned(module: str, dependency: str) -> str:
    """The version of a dependency as go.mod requires it: `v1.36.3`."""
    return required_version(TOOLCHAIN_FOLDER / module, dependency)


def required_version(folder: Path, dependency: str) -> str:
    """The version of a dependency that the go.mod of a folder requires. Raises ValueError where it does not."""
    for line in (folder / "go.mod").read_text(encoding="utf-8").splitlines():
        words = line.removeprefix("require ").split()
        if len(words) >= 2 and words[0] == dependency and words[1].startswith("v"):
            return words[1]
    raise ValueError(f"{folder}: go.mod does not require {dependency}")


def cache_root() -> Path:
    """Shared by every clone: $LLM_D_REHEARSAL_CACHE, else below $XDG_CACHE_HOME, else below ~/.cache."""
    own = os.environ.get("LLM_D_REHEARSAL_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "llm-d-rehearsal"


def cache_of(module: str) -> Path:
    """The folder of the binaries of one set of pins. Another pin, flag or architecture has another folder."""
    digest = hashlib.sha256()
    for text in (
        (TOOLCHAIN_FOLDER / module / "go.mod").read_bytes(),
        (TOOLCHAIN_FOLDER / module / "go.sum").read_bytes(),
        *(file.read_bytes() for file in sorted((TOOLCHAIN_FOLDER / module).rglob("*.go"))),
        *(file.read_bytes() for file in sorted((TOOLCHAIN_FOLDER / module).glob("overlay.json"))),
        ldflags(module).encode(),
        f"{platform.system()}/{platform.machine()}".encode(),
    ):
        digest.update(hashlib.sha256(text).digest())
    return cache_root() / digest.hexdigest()[:16]
