"""A client of the Kubernetes API, with watches and events. Manifests are plain dictionaries.

`client` has the calls, `informer` keeps copies by a watch, `types` has manifests and errors, and `conditions` and
`events` are parts of objects.
"""

from llm_d_gke.kube.client import Kube
from llm_d_gke.kube.types import (
    ApiError,
    Conflict,
    Expired,
    KubeError,
    Manifest,
    Manifests,
    NotFound,
    Resource,
    UnknownKind,
    Unreachable,
)

__all__ = [
    "ApiError",
    "Conflict",
    "Expired",
    "Kube",
    "KubeError",
    "Manifest",
    "Manifests",
    "NotFound",
    "Resource",
    "UnknownKind",
    "Unreachable",
]
