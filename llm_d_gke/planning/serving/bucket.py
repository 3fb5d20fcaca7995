"""Cloud Storage buckets, mounted read-only by the Cloud Storage FUSE CSI driver.

Options follow Google's guide for serving ("Optimize Cloud Storage FUSE CSI driver for GKE performance", checked
2026-11-28): weights do not change while a pod runs, so metadata never expires, and large files are fetched by several
workers at once, which needs the file cache on the node's disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DRIVER = "gcsfuse.csi.storage.gke.io"
# Makes the driver's webhook add its sidecar to the pod.
VOLUMES_ANNOTATION = "gke-gcsfuse/volumes"

# What the sidecar gets, whose file cache lies on the node's disk. With a limit and no request the webhook requests as
# much as the limit (pkg/webhook/config.go of the driver at 01870a9d). Memory without a limit would get the default of
# the namespace's LimitRange, which Kubernetes applies to what a webhook has added, too (Dynamic Admission Control,
# "Reinvocation policy").
_STORAGE_REQUEST = "gke-gcsfuse/ephemeral-storage-request"
_STORAGE_LIMIT = "gke-gcsfuse/ephemeral-storage-limit"
_MEMORY_REQUEST = "gke-gcsfuse/memory-request"
_MEMORY_LIMIT = "gke-gcsfuse/memory-limit"
# The webhook's own default, which it sets without a limit (deploy/base/webhook/deployment.yaml of it at 0b99364a).
_MEMORY = "256Mi"

_OPTIONS = (
    "implicit-dirs",
    "metadata-cache:ttl-secs:-1",
    "metadata-cache:stat-cache-max-size-mb:-1",
    "metadata-cache:type-cache-max-size-mb:-1",
    "file-cache:max-size-mb:-1",
    "file-cache:cache-file-for-range-read:true",
    "file-cache:enable-parallel-downloads:true",
)


def sidecar_annotations(request_gib: int, limit_gib: int, memory: str) -> dict[str, str]:
    """Annotations that add the sidecar with room for its file cache. `memory` is its limit, reached by no cache."""
    return {
        VOLUMES_ANNOTATION: "true",
        _STORAGE_REQUEST: f"{request_gib}Gi",
        _STORAGE_LIMIT: f"{limit_gib}Gi",
        _MEMORY_REQUEST: _MEMORY,
        _MEMORY_LIMIT: memory,
    }


def bucket_volume(bucket: str, folder: str = "") -> Mapping[str, Any]:
    """The CSI volume source of a bucket, or of one folder in it."""
    options = [*_OPTIONS, *((f"only-dir={folder}",) if folder else ())]
    return {
        "driver": DRIVER,
        "readOnly": True,
        "volumeAttributes": {"bucketName": bucket, "mountOptions": ",".join(options)},
    }
