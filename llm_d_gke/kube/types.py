"""Types of the Kubernetes client: manifests, resources and errors."""

# ruff: noqa: N818 - the failures have the API's own names.

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict

Manifest: TypeAlias = dict[str, Any]
Manifests: TypeAlias = list[Manifest]
PatchType: TypeAlias = Literal["merge", "json", "strategic"]
Query: TypeAlias = dict[str, str]


class DeleteOptions(TypedDict, total=False):
    """Options of a deletion, by the API's names. The grace period of a pod is in seconds (0: at once)."""

    propagationPolicy: Literal["Background", "Foreground", "Orphan"]
    gracePeriodSeconds: int
    preconditions: dict[str, str]


class KubeError(Exception):
    """A request to the Kubernetes API failed. The text says which, and why."""


class Unreachable(KubeError):
    """No API server answered."""


class UnknownKind(KubeError):
    """The server does not serve this apiVersion and kind. Its CRD is missing or not established."""


class ApiError(KubeError):
    """The server refused.

    `code` is the HTTP status, `reason` the server's word (`Invalid`, `Forbidden`), `status` its Status object.
    """

    def __init__(self, code: int, status: Manifest) -> None:
        self.code = code
        self.status = status
        self.reason = str(status.get("reason") or "")
        super().__init__(str(status.get("message") or f"the API server answered {code}"))


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: already exists, a stale resourceVersion, or a field another manager owns."""


class Expired(ApiError):
    """410: the resourceVersion of a watch is too old. List again."""


_BY_CODE: dict[int, type[ApiError]] = {404: NotFound, 409: Conflict, 410: Expired}

CONTENT_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
# Server-side apply takes YAML; JSON is YAML.
APPLY = "application/apply-patch+yaml"
JSON = "application/json"


@dataclass(frozen=True)
class Resource:
    """The API server's definition of one kind."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    subresources: frozenset[str]

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path; `namespace` None means all namespaces (for lists) or a cluster-wide kind."""
        parts = [group_path(self.api_version)]
        if self.namespaced and namespace is not None:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


def accept_header(kind: str, *, metadata_only: bool) -> str:
    """The format to ask for: JSON, or as JSON only the metadata of the objects, which `kind` names."""
    return f"{JSON};as={kind};g=meta.k8s.io;v=v1" if metadata_only else JSON


def group_path(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def refusal(code: int, status: Manifest) -> ApiError:
    """The exception for an answer of the server that is not a success."""
    return _BY_CODE.get(code, ApiError)(code, status)
