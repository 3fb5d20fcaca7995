"""Requirements of Pod Security `restricted` and of scanners for a pod in any resource."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .resources import EXCEPTION, Pod

# Rules that a typed exception lifts: the exception's rule, and what follows from it. Root needs no user of its own, and
# the API server refuses a privileged container that may not escalate.
_LIFTED: Mapping[str, frozenset[str]] = {
    "runAsNonRoot": frozenset({"runAsNonRoot"}),
    "capabilities": frozenset({"runAsNonRoot", "capabilities"}),
    "privileged": frozenset({"runAsNonRoot", "capabilities", "privileged", "allowPrivilegeEscalation"}),
}
_HOST = ("hostNetwork", "hostPID", "hostIPC")
_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
        "image",
    }
)
# Types of SELinux that runtimes give to containers.
_SELINUX_TYPES = (None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_PROBES, _HOOKS = ("livenessProbe", "readinessProbe", "startupProbe"), ("postStart", "preStop")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_MOVING = frozenset({"latest", "main", "master", "nightly", "dev", "edge", "stable"})


def exception_of(pod: Pod) -> str | None:
    """The rule of `llm-d.ai/security-exception`, None without one or without its reason."""
    rule, colon, reason = str(pod.annotations.get(EXCEPTION) or "").partition(":")
    return rule.strip() if colon and reason.strip() else None


def broken_rules(pod: Pod) -> Iterator[tuple[str, str]]:
    """Rules of `restricted` that the pod breaks, each with the place, exceptions included."""
    spec = pod.spec
    yield from ((name, "pod") for name in _HOST if spec.get(name))
    for volume in spec.get("volumes") or ():
        kinds = set(volume) - {"name"}
        if kinds - _VOLUMES:
            yield "volumes", f"volume {volume.get('name')}"
    security_context = spec.get("securityContext") or {}
    yield from ((rule, "pod") for rule in _of_context(security_context))
    if security_context.get("sysctls"):
        yield "sysctls", "pod"
    for container in pod.containers:
        yield from ((rule, f"container {container['name']}") for rule in _of_container(container, security_context))


def _of_container(container: Mapping[str, Any], pod_context: Mapping[str, Any]) -> Iterator[str]:
    context = container.get("securityContext") or {}
    if context.get("privileged"):
        yield "privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    non_root = context.get("runAsNonRoot", pod_context.get("runAsNonRoot"))
    if non_root is not True or context.get("runAsUser", pod_context.get("runAsUser")) == 0:
        yield "runAsNonRoot"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()) or set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    seccomp = context.get("seccompProfile") or pod_context.get("seccompProfile") or {}
    if seccomp.get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    if context.get("procMount", "Default") != "Default":
        yield "procMount"
    yield from _of_context(context)
    yield from ("hostPort" for port in container.get("ports") or () if port.get("hostPort"))
    lifecycle = container.get("lifecycle") or {}
    for handler in (*map(container.get, _PROBES), *map(lifecycle.get, _HOOKS)):
        if any(((handler or {}).get(action) or {}).get("host") for action in ("httpGet", "tcpSocket")):
            yield "hostProbes"


def _of_context(context: Mapping[str, Any]) -> Iterator[str]:
    """Rules of a pod's or a container's security context alone."""
    if (context.get("appArmorProfile") or {}).get("type") == "Unconfined":
        yield "appArmorProfile"
    linux = context.get("seLinuxOptions") or {}
    if linux.get("type") not in _SELINUX_TYPES or linux.get("user") or linux.get("role"):
        yield "seLinuxOptions"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess"


def lifted_by(exception: str | None) -> frozenset[str]:
    return _LIFTED.get(exception or "", frozenset())


def hygiene(pod: Pod) -> Iterator[str]:
    """Requirements of scanners besides Pod Security."""
    if pod.spec.get("serviceAccountName") in (None, "", "default"):
        yield "runs as the namespace's default account"
    for container in pod.containers:
        name, resources = container["name"], container.get("resources") or {}
        limits = resources.get("limits") or {}
        for resource in ("cpu", "memory"):
            if resource not in limits:
                yield f"container {name} has no limit of {resource}"
        if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
            yield f"container {name} can write to its root file system"
        for variable in container.get("env") or ():
            if re.search(r"(TOKEN|PASSWORD|SECRET|API_?KEY)$", str(variable.get("name"))) and variable.get("value"):
                yield f"container {name} has the secret {variable['name']} in its environment"


def image_problem(image: str, *, digests: bool, registries: list[str]) -> str | None:
    """The reason why an image's name is not accepted."""
    path, _, _ = image.partition("@")
    tag = path.rpartition("/")[2].partition(":")[2]
    if _DIGEST.search(image) is None:
        if digests:
            return "has no digest"
        if not tag:
            return "has neither tag nor digest"
        if tag in _MOVING:
            return f"has the tag {tag}, which moves"
    if registries and not any(image.startswith(registry.rstrip("/") + "/") for registry in registries):
        return f"is not from {' or '.join(registries)}"
    return None
