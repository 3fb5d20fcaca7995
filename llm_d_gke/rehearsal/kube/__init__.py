"""A client of the Kubernetes API, with watches and events. Manifests are plain dictionaries."""

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
