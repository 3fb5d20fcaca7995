"""Volumes of a pod as folders on this machine, and its kubeconfig.

The kubeconfig has the token of the pod's ServiceAccount, so that missing permissions fail as they do on GKE.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import yaml

from llm_d_gke.kube import Kube, Manifest
from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.node_agent.environment import ConfigError, Find, data_of, field
from llm_d_gke.rehearsal.paths import StackPaths

# Where clients look for the token of the pod's own ServiceAccount.
TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105


class MountError(SimulationError):
    """A volume cannot be mounted yet: the pod waits in ContainerCreating. The text is the kubelet's."""


def materialize(pod: Manifest, home: Path, pod_ip: str, host_ip: str, find: Find) -> dict[str, str]:
    """Create a folder below `home` for every volume of the pod. Returns them by volume name. Raises MountError.

    Volumes without data in the API server (disks, buckets, host paths) are empty folders.
    """
    folders: dict[str, str] = {}
    for volume in pod["spec"].get("volumes") or []:
        name = volume["name"]
        folder = home / "volumes" / name
        try:
            content = _volume_files(pod, volume, pod_ip, host_ip, find)
        except ConfigError as error:
            raise MountError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
        folder.mkdir(parents=True, exist_ok=True)
        for path, data in content.items():
            file = folder / PurePosixPath(path)
            _write(file, data)
        folders[name] = str(folder)
    return folders


def _write(file: Path, data: bytes) -> None:
    """Write a file unless it has the content already: programs watch these files."""
    if file.exists() and file.read_bytes() == data:
        return
    atomic_write(file, data)


def mounts(container: Manifest, folders: Mapping[str, str]) -> dict[str, str]:
    """Folders (or files, with subPath) of this machine by mount path in the container."""
    paths_by_mount: dict[str, str] = {}
    for mount in container.get("volumeMounts") or []:
        folder = folders.get(mount["name"])
        if folder is not None:
            below = mount.get("subPath")
            paths_by_mount[mount["mountPath"]] = str(Path(folder) / below) if below else folder
    return paths_by_mount


def has_token(pod: Manifest, service_account: Manifest | None) -> bool:
    """Whether the token of its ServiceAccount is mounted into the pod, by default or by a projected volume."""
    for container in pod["spec"].get("containers") or []:
        for mount in container.get("volumeMounts") or []:
            if mount["mountPath"].rstrip("/") == TOKEN_MOUNT:
                return True
    requested = pod["spec"].get("automountServiceAccountToken")
    if requested is None:
        requested = (service_account or {}).get("automountServiceAccountToken")
    return requested is not False


def _volume_files(pod: Manifest, volume: Manifest, pod_ip: str, host_ip: str, find: Find) -> dict[str, bytes]:
    namespace = pod["metadata"]["namespace"]
    if "configMap" in volume:
        return _entries("ConfigMap", namespace, volume["configMap"]["name"], volume["configMap"], find)
    if "secret" in volume:
        return _entries("Secret", namespace, volume["secret"]["secretName"], volume["secret"], find)
    if "downwardAPI" in volume:
        return _downward(pod, volume["downwardAPI"], pod_ip, host_ip)
    content: dict[str, bytes] = {}
    for source in (volume.get("projected") or {}).get("sources") or []:
        if "configMap" in source:
            content |= _entries("ConfigMap", namespace, source["configMap"]["name"], source["configMap"], find)
        elif "secret" in source:
            content |= _entries("Secret", namespace, source["secret"]["name"], source["secret"], find)
        elif "downwardAPI" in source:
            content |= _downward(pod, source["downwardAPI"], pod_ip, host_ip)
    return content


def _entries(kind: str, namespace: str, name: str, source: Manifest, find: Find) -> dict[str, bytes]:
    holder = find(kind, namespace, name)
    if holder is None:
        if source.get("optional"):
            return {}
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = data_of(holder)
    items = source.get("items")
    if not items:
        return data
    chosen: dict[str, bytes] = {}
    for item in items:
        if item["key"] in data:
            chosen[item["path"]] = data[item["key"]]
        elif not source.get("optional"):
            raise ConfigError(f"references non-existent {kind.lower()} key: {item['key']}")
    return chosen


def _downward(pod: Manifest, source: Manifest, pod_ip: str, host_ip: str) -> dict[str, bytes]:
    return {
        item["path"]: field(pod, item["fieldRef"]["fieldPath"], pod_ip, host_ip).encode()
        for item in source.get("items") or []
        if "fieldRef" in item
    }


# A token is bound to its pod and expires with it at the latest.
LIFETIME_SECONDS = 7 * 24 * 3600


def write_kubeconfig(kube: Kube, paths: StackPaths, pod: Manifest, file: Path) -> None:
    """Write `file`, readable by its owner only. Raises KubeError when the ServiceAccount does not exist."""
    namespace = pod["metadata"]["namespace"]
    account = pod["spec"].get("serviceAccountName") or "default"
    request: Manifest = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {
            "expirationSeconds": LIFETIME_SECONDS,
            "boundObjectRef": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            },
        },
    }
    answer = kube.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", body=request)
    admin = yaml.safe_load(paths.kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    authority = str(paths.kubeconfig.parent / Path(admin["certificate-authority"]))
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "clusters": [{"name": "rehearsal", "cluster": {"server": kube.server, "certificate-authority": authority}}],
        "users": [{"name": account, "user": {"token": answer["status"]["token"]}}],
        "contexts": [{"name": "pod", "context": {"cluster": "rehearsal", "user": account, "namespace": namespace}}],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        yaml.safe_dump(config, output)
