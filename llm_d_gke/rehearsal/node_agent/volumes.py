"""Volumes of a pod as folders on this machine, and its kubeconfig.

The kubeconfig has the token of the pod's ServiceAccount, so that missing permissions fail as they do on GKE.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import yaml

from llm_d_gke.kube import Kube, Manifest
from llm_d_gke.rehearsal.errors import SimulationError
from llm_d_gke.rehearsal.host.files import atomic_write, write_if_changed
from llm_d_gke.rehearsal.node_agent.environment import ConfigError, Find, data_of, field, referenced
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
            write_if_changed(folder / PurePosixPath(path), data)
        folders[name] = str(folder)
    return folders


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
    content: dict[str, bytes] = {}
    for source in (volume.get("projected") or {}).get("sources") or [volume]:
        for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if key in source:
                content |= _entries(kind, pod["metadata"]["namespace"], source[key], find)
        for item in (source.get("downwardAPI") or {}).get("items") or []:
            if "fieldRef" in item:
                content[item["path"]] = field(pod, item["fieldRef"]["fieldPath"], pod_ip, host_ip).encode()
    return content


def _entries(kind: str, namespace: str, source: Manifest, find: Find) -> dict[str, bytes]:
    holder = referenced(kind, namespace, source, find)
    if holder is None:
        return {}
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
    atomic_write(file, yaml.safe_dump(config))
