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
# The sidecar's own limit is 5 GiB, in which its file cache has to fit.
CACHE_ANNOTATION = "gke-gcsfuse/ephemeral-storage-limit"

_OPTIONS = (
    "implicit-dirs",
    "metadata-cache:ttl-secs:-1",
    "metadata-cache:stat-cache-max-size-mb:-1",
    "metadata-cache:type-cache-max-size-mb:-1",
    "file-cache:max-size-mb:-1",
    "file-cache:cache-file-for-range-read:true",
    "file-cache:enable-parallel-downloads:true",
)


def bucket_volume(bucket: str, folder: str = "") -> Mapping[str, Any]:
    """The CSI volume source of a bucket, or of one folder in it."""
    options = [*_OPTIONS, *((f"only-dir={folder}",) if folder else ())]
    return {
        "driver": DRIVER,
        "readOnly": True,
        "volumeAttributes": {"bucketName": bucket, "mountOptions": ",".join(options)},
    }
