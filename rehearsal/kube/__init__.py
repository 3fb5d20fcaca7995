"""A client of the Kubernetes API, with watches and events. Manifests are plain dictionaries."""

from rehearsal.kube.client import Kube
from rehearsal.kube.connection import client
from rehearsal.kube.types import (
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
