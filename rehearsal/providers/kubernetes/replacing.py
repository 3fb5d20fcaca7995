# ruff: noqa: SIM905 - words read better than a column of literals
"""Changes that the API server refuses, so that Pulumi replaces the object.

After pulumi-kubernetes provider/pkg/provider, 2026-07: diff.go (the table), provider.go (delete before replace).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rehearsal.providers.kubernetes.objects import is_autonamed, is_named, metadata
from rehearsal.providers.properties import Diff, Path, Properties, difference, under

IDENTITY: Final = ("kind", "metadata.name", "metadata.namespace")
SELECTOR: Final = ("spec.selector",)
CONTAINERS: Final = tuple(
    f"spec.{containers}.{part}"
    for containers in ("containers", "initContainers")
    for part in (
        "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext "
        "stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir"
    ).split()
)
POD: Final = tuple(
    f"spec.{part}"
    for part in (
        "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork "
        "hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority priorityClassName "
        "readinessGates restartPolicy runtimeClassName schedulerName securityContext serviceAccount serviceAccountName "
        "shareProcessNamespace subdomain terminationGracePeriodSeconds volumes"
    ).split()
)
VOLUME_SOURCES: Final = tuple(
    f"spec.{source}"
    for source in (
        "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs "
        "hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
    ).split()
)
IMMUTABLE: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("apps", "DaemonSet"): SELECTOR,
    ("apps", "Deployment"): SELECTOR,
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    ("", "PersistentVolume"): VOLUME_SOURCES,
    ("", "PersistentVolumeClaim"): ("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    ("", "Pod"): (*POD, *CONTAINERS),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
}


def immutable(manifest: Mapping[str, Any], *, configmaps_mutable: bool, secrets_mutable: bool) -> tuple[str, ...]:
    """Dotted paths that cannot change in place.

    ConfigMaps and Secrets are replaced on a change of content, so that pods mounting an auto-named one roll; the
    provider's `enableConfigMapMutable` and `enableSecretMutable` change that, except for objects marked `immutable`.
    """
    group, kind = str(manifest["apiVersion"]).rpartition("/")[0], str(manifest["kind"])
    frozen = manifest.get("immutable") is True
    if (group, kind) == ("", "Secret") and (frozen or not secrets_mutable):
        return (*IDENTITY, "type", "data", "stringData")
    if (group, kind) == ("", "ConfigMap") and (frozen or not configmaps_mutable):
        return (*IDENTITY, "data", "binaryData")
    return (*IDENTITY, *IMMUTABLE.get((group, kind), ()))


def compare(
    old: Properties, new: Properties, *, cluster_wide: bool, configmaps_mutable: bool, secrets_mutable: bool
) -> Diff:
    """The diff of two manifests, and whether it needs a replacement."""
    fixed = immutable(new, configmaps_mutable=configmaps_mutable, secrets_mutable=secrets_mutable)
    groups = [str(manifest.get("apiVersion")).rpartition("/")[0] for manifest in (old, new)]

    def replaces(path: Path) -> bool:
        # Another version of the same group is the same object; another group is another one.
        return under(path, *fixed) or (path == ("apiVersion",) and groups[0] != groups[1])

    def ignores(path: Path) -> bool:
        # A default set it before the kind's scope was known. The server drops it.
        return cluster_wide and path == ("metadata", "namespace")

    found = difference(old, new, replaces=replaces, ignores=ignores)
    stays = all(metadata(old).get(part) == metadata(new).get(part) for part in ("name", "namespace"))
    same_place = stays and is_named(new) and not is_autonamed(new)
    return Diff(found.changes, found.replaces, delete_before_replace=bool(found.replaces) and same_place)
