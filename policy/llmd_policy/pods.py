"""Requirements of Pod Security `restricted` and of scanners for a pod in any resource."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .resources import EXCEPTION, Part, Pod

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
_MOVING = frozenset({"latest", "main", "master", "nightly", "dev", "edge", "stable", "canary", "rolling", "release"})
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_SECRET_NAME = re.compile(r"(TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|(API|ACCESS|PRIVATE)_?KEY|CREDENTIALS)$")


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
    if security_context.get("runAsUser") == 0 or security_context.get("runAsNonRoot") is False:
        # Whatever its containers say.
        yield "runAsNonRoot", "pod"
    if (security_context.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield "seccompProfile", "pod"
    for container in pod.containers:
        yield from ((rule, f"container {container['name']}") for rule in _of_container(container, security_context))


def loosened(part: Part) -> Iterator[str]:
    """Rules of `restricted` that a part of a pod breaks by what it states; what it leaves out, others may add."""
    fields = part.fields
    yield from (name for name in _HOST if fields.get(name) is True)
    path = fields.get("hostPath")
    if isinstance(path, Mapping) and isinstance(path.get("path"), str):
        yield "volumes"
    if fields.get("privileged") is True:
        yield "privileged"
    if fields.get("allowPrivilegeEscalation") is True:
        yield "allowPrivilegeEscalation"
    if fields.get("runAsNonRoot") is False or _is_zero(fields.get("runAsUser")):
        yield "runAsNonRoot"
    capabilities = fields.get("capabilities")
    added = capabilities.get("add") if isinstance(capabilities, Mapping) else None
    if isinstance(added, list) and set(map(str, added)) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    for name in ("seccompProfile", "appArmorProfile"):
        profile = fields.get(name)
        if isinstance(profile, Mapping) and profile.get("type") == "Unconfined":
            yield name
    if fields.get("procMount") == "Unmasked":
        yield "procMount"
    port = fields.get("hostPort")
    if isinstance(port, int) and not isinstance(port, bool) and port:
        yield "hostPort"


def _is_zero(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == 0


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
            value = str(variable.get("value") or "")
            # A path leads to a mounted Secret.
            if _SECRET_NAME.search(str(variable.get("name"))) and value and not value.startswith("/"):
                yield f"container {name} has the secret {variable['name']} in its environment"


def moves(tag: str) -> bool:
    """Whether a tag names a branch or a variant: it has a word for one and no commit, or no digit at all."""
    words = re.split(r"[-._+]", tag.lower())
    moving = _MOVING.intersection(words) or not any(character.isdigit() for character in tag)
    return bool(moving) and not any(_COMMIT.fullmatch(word) and re.search(r"\d", word) for word in words)


def tags_of(part: Part) -> Iterator[str]:
    """Tags that a chart's values or a template state: `image: NAME:TAG`, or `tag` by itself."""
    for key in ("image", "tag"):
        value = part.fields.get(key)
        tag = tag_of(value) if key == "image" and isinstance(value, str) else value
        if isinstance(tag, str) and tag:
            yield tag


def tag_of(image: str) -> str:
    """The tag of an image's name, empty without one."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def image_problem(image: str, *, digests: bool, registries: list[str]) -> str | None:
    """The reason why an image's name is not accepted."""
    tag = tag_of(image)
    if _DIGEST.search(image) is None:
        if digests:
            return "has no digest"
        if not tag:
            return "has neither tag nor digest"
        if moves(tag):
            return f"has the tag {tag}, which moves"
    if registries and not any(image.startswith(registry.rstrip("/") + "/") for registry in registries):
        return f"is not from {' or '.join(registries)}"
    return None
