"""Environment variables of a container, resolved like the kubelet resolves them."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from llm_d_gke.kube import Manifest
from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.node_agent.arguments import expand

# (kind, namespace, name) -> object, None when there is none
Find = Callable[[str, str, str], Manifest | None]


class ConfigError(SimulationError):
    """A reference cannot be resolved. The text is the kubelet's message for CreateContainerConfigError."""


def data_of(holder: Manifest) -> dict[str, bytes]:
    """Entries of a Secret or ConfigMap as bytes."""
    if holder["kind"] == "Secret":
        return {key: base64.b64decode(text) for key, text in (holder.get("data") or {}).items()}
    entries = {key: text.encode() for key, text in (holder.get("data") or {}).items()}
    return entries | {key: base64.b64decode(text) for key, text in (holder.get("binaryData") or {}).items()}


def referenced(kind: str, namespace: str, reference: Manifest, find: Find) -> Manifest | None:
    """The Secret or ConfigMap of a reference, None for an optional one that does not exist. Raises ConfigError."""
    name = reference.get("name") or reference["secretName"]
    holder = find(kind, namespace, name)
    if holder is None and not reference.get("optional"):
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    return holder


def resolve(pod: Manifest, container: Manifest, pod_ip: str, host_ip: str, find: Find) -> dict[str, str]:
    """Values by name. Later entries win, and `$(NAME)` expands to an earlier one. Raises ConfigError."""
    result: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        result |= _all_entries(pod, source, find)
    for variable in container.get("env") or []:
        if variable.get("valueFrom"):
            value = _reference(pod, container, variable["valueFrom"], pod_ip, host_ip, find)
            if value is not None:
                result[variable["name"]] = value
        else:
            result[variable["name"]] = expand(variable.get("value") or "", result)
    return result


def field(pod: Manifest, path: str, pod_ip: str, host_ip: str) -> str:
    """The value of a downward API field. Raises ConfigError for an unknown one."""
    metadata, spec = pod["metadata"], pod["spec"]
    keyed = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if keyed:
        return str((metadata.get(keyed[1]) or {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = metadata.get(path.split(".")[1]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(entries.items()))
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
        "status.hostIP": host_ip,
        "status.hostIPs": host_ip,
    }
    if path not in fields:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str(fields[path])


def _reference(
    pod: Manifest, container: Manifest, source: Manifest, pod_ip: str, host_ip: str, find: Find
) -> str | None:
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"], pod_ip, host_ip)
    if "resourceFieldRef" in source:
        side, _, name = source["resourceFieldRef"]["resource"].partition(".")
        return str(((container.get("resources") or {}).get(side) or {}).get(name, "0"))
    kind = "Secret" if "secretKeyRef" in source else "ConfigMap"
    reference = source["secretKeyRef" if kind == "Secret" else "configMapKeyRef"]
    namespace = pod["metadata"]["namespace"]
    holder = referenced(kind, namespace, reference, find)
    if holder is None:
        return None
    value = data_of(holder).get(reference["key"])
    if value is None:
        if reference.get("optional"):
            return None
        raise ConfigError(f"couldn't find key {reference['key']} in {kind} {namespace}/{reference['name']}")
    return value.decode(errors="replace")


def _all_entries(pod: Manifest, source: Manifest, find: Find) -> dict[str, str]:
    for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
        holder = referenced(kind, pod["metadata"]["namespace"], source[key], find) if key in source else None
        if holder is not None:
            prefix = source.get("prefix") or ""
            return {prefix + name: value.decode(errors="replace") for name, value in data_of(holder).items()}
    return {}
