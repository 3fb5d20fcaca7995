"""A client of the Kubernetes API, with watches and events. Manifests are plain dictionaries.

`connection` opens the client of a stack, `client` has its calls, `informer` keeps copies by a watch, `types` has
manifests and errors, and `conditions` and `events` are parts of objects.
"""

from llm_d_gke.rehearsal.kube.client import Kube
from llm_d_gke.rehearsal.kube.connection import client
from llm_d_gke.rehearsal.kube.types import (
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
    "client",
]
