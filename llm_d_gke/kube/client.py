"""A small client of the Kubernetes API for kinds that are known only at run time.

Manifests are plain dictionaries as in YAML. Plural name, scope and subresources come from the server's discovery, so a
custom kind can be used as soon as its CRD is established. One `Kube` may be shared by threads.
"""

from __future__ import annotations

import copy
import json
import ssl
from collections.abc import Callable, Iterable, Iterator
from typing import Self, Unpack

import httpx

from llm_d_gke.kube.types import (
    APPLY,
    CONTENT_TYPES,
    JSON,
    ApiError,
    DeleteOptions,
    KubeError,
    Manifest,
    Manifests,
    NotFound,
    PatchType,
    Query,
    Resource,
    UnknownKind,
    Unreachable,
    accept_header,
    group_path,
    refusal,
)
from llm_d_gke.waiting import wait_until


class Kube:
    """Requests to one API server. Every failure is a KubeError or one of its subclasses."""

    def __init__(
        self,
        server: str,
        context: ssl.SSLContext,
        *,
        timeout: float = 30.0,
        on_warning: Callable[[str], None] | None = None,
        token: str | None = None,
        trust_env: bool = False,
    ) -> None:
        """Connect to `server`, with a bearer `token` where the context holds no client certificate.

        `trust_env` uses the proxy of the environment, which must not be used for 127.0.0.1.
        """
        self.server = server
        self.field_manager = "rehearsal"
        self._on_warning = on_warning
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(
            base_url=server, verify=context, timeout=timeout, trust_env=trust_env, limits=limits, headers=headers
        )
        self._groups: dict[str, dict[str, Resource]] = {}

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- discovery

    def resource(self, api_version: str, kind: str) -> Resource:
        """The kind's plural, scope and subresources. An unknown kind refreshes discovery."""
        kinds = self._groups.get(api_version)
        if kinds is None or kind not in kinds:
            kinds = self._groups[api_version] = self._discover(api_version)
        if kind not in kinds:
            raise UnknownKind(f'no matches for kind "{kind}" in version "{api_version}"')
        return kinds[kind]

    def serves(self, api_version: str, kind: str) -> bool:
        try:
            self.resource(api_version, kind)
        except UnknownKind:
            return False
        return True

    def _discover(self, api_version: str) -> dict[str, Resource]:
        try:
            answer = self.request("GET", group_path(api_version))
        except NotFound:
            return {}
        entries: Manifests = answer.get("resources") or []
        below: dict[str, set[str]] = {}
        for entry in entries:
            plural, _, subresource = entry["name"].partition("/")
            if subresource:
                below.setdefault(plural, set()).add(subresource)
        return {
            entry["kind"]: Resource(
                api_version=api_version,
                kind=entry["kind"],
                plural=entry["name"],
                namespaced=entry["namespaced"],
                subresources=frozenset(below.get(entry["name"], ())),
            )
            for entry in entries
            if "/" not in entry["name"]
        }

    def server_version(self) -> str:
        """`v1.36.3`."""
        return str(self.request("GET", "/version")["gitVersion"])

    # -- writing

    def managed_by(self, field_manager: str) -> Self:
        """The same client, whose writes have another field manager."""
        client = copy.copy(self)
        client.field_manager = field_manager
        return client

    def apply(self, manifest: Manifest, *, force: bool = False, dry_run: bool = False) -> Manifest:
        """Server-side apply of an object. Returns the stored object.

        Raises Conflict when another manager owns a field and `force` is off, ApiError (422 `Invalid`, 403 `Forbidden`,
        400) when validation or admission refuses it.
        """
        query = {"fieldManager": self.field_manager, "force": _flag(force), "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        path = self._object_path(manifest)
        return self.request("PATCH", path, body=manifest, content_type=APPLY, query=query)

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object (`metadata.generateName` is possible). Raises Conflict when it exists."""
        metadata = manifest.get("metadata") or {}
        resource = self.resource(manifest["apiVersion"], manifest["kind"])
        path = resource.path(metadata.get("namespace") or "default")
        query = {"fieldManager": self.field_manager, "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        return self.request("POST", path, body=manifest, query=query)

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        body: Manifest | Manifests,
        namespace: str | None = None,
        *,
        content: PatchType = "merge",
    ) -> Manifest:
        """Patch an existing object. With `content="json"` the body is a list of operations."""
        path = self.resource(api_version, kind).path(namespace or "default", name)
        return self._patch(path, body, content)

    def patch_status(
        self, api_version: str, kind: str, name: str, status: Manifest, namespace: str | None = None
    ) -> Manifest:
        """Patch `.status` through its subresource. A merge patch replaces whole lists, such as conditions."""
        path = self.resource(api_version, kind).path(namespace or "default", name, "status")
        return self._patch(path, {"status": status}, "merge")

    def _patch(self, path: str, body: Manifest | Manifests, content: PatchType) -> Manifest:
        query = {"fieldManager": self.field_manager}
        return self.request("PATCH", path, body=body, content_type=CONTENT_TYPES[content], query=query)

    def delete(
        self, api_version: str, kind: str, name: str, namespace: str | None = None, **options: Unpack[DeleteOptions]
    ) -> bool:
        """Request deletion. Returns False when the object did not exist. Finalizers and garbage collection run later.

        With a uid among `preconditions`, raises Conflict for another object of the same name.
        """
        body: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", **options}
        try:
            path = self.resource(api_version, kind).path(namespace or "default", name)
            self.request("DELETE", path, body=body)
        except (NotFound, UnknownKind):
            return False
        return True

    # -- reading

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest:
        """Raises NotFound (or UnknownKind)."""
        return self.request("GET", self.resource(api_version, kind).path(namespace or "default", name))

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        """Like `get`, but None when the object or its kind does not exist."""
        try:
            return self.get(api_version, kind, name, namespace)
        except (NotFound, UnknownKind):
            return None

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> Manifests:
        """All objects, of all namespaces when `namespace` is None, that match the selectors."""
        return self.list_at(api_version, kind, namespace, labels=labels, fields=fields)[0]

    def list_at(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        metadata_only: bool = False,
    ) -> tuple[Manifests, str]:
        """Like `list`, with the resourceVersion that a watch continues from."""
        path = self.resource(api_version, kind).path(namespace)
        accept = accept_header("PartialObjectMetadataList", metadata_only=metadata_only)
        answer = self.request("GET", path, query=_selectors(labels, fields), accept=accept)
        # The server leaves type information out of list items.
        items = [{"apiVersion": api_version, "kind": kind, **item} for item in answer.get("items") or []]
        return items, str(answer["metadata"]["resourceVersion"])

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        resource_version: str,
        timeout: float = 300.0,
        metadata_only: bool = False,
    ) -> Iterator[tuple[str, Manifest]]:
        """Yields (`ADDED` | `MODIFIED` | `DELETED` | `BOOKMARK`, object); ends after `timeout` seconds.

        Raises Expired when the version is too old, Unreachable when the connection breaks.
        """
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": resource_version}
        query["timeoutSeconds"] = str(max(1, int(timeout)))
        path = self.resource(api_version, kind).path(namespace)
        headers = {"Accept": accept_header("PartialObjectMetadata", metadata_only=metadata_only)}
        limits = httpx.Timeout(10.0, read=timeout + 15.0)
        try:
            with self._http.stream("GET", path, params=query, headers=headers, timeout=limits) as answer:
                if answer.is_error:
                    answer.read()
                    raise _refusal(answer)
                for line in answer.iter_lines():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status: Manifest = event["object"]
                        raise refusal(int(status.get("code") or 500), status)
                    yield event["type"], event["object"]
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    # -- waiting

    def ready(self) -> bool:
        """Whether the API server reports that it is ready."""
        try:
            return self._http.get("/readyz", timeout=2.0).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def wait_established(self, names: Iterable[str], timeout: float = 120.0) -> None:
        """Return once every named CustomResourceDefinition is served. Raises KubeError with those that are not."""
        missing = set(names)

        def all_established() -> bool:
            missing.difference_update([name for name in missing if self._is_established(name)])
            return not missing

        wait_until(
            all_established,
            timeout=timeout,
            on_timeout=lambda: KubeError(
                f"custom resource definitions not established after {timeout:.0f} s: {', '.join(sorted(missing))}"
            ),
        )

    def _is_established(self, name: str) -> bool:
        """Whether a CRD is established. Reads discovery, because the definition itself may be a megabyte."""
        plural, _, group = name.partition(".")
        try:
            versions = self.request("GET", f"/apis/{group}")["versions"]
            served = [self.request("GET", f"/apis/{version['groupVersion']}")["resources"] for version in versions]
        except NotFound:
            return False
        return any(resource["name"] == plural for resources in served for resource in resources)

    # -- transport

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Manifest | Manifests | None = None,
        content_type: str = JSON,
        query: Query | None = None,
        accept: str = JSON,
    ) -> Manifest:
        """One request, its JSON answer. For paths the methods above do not cover."""
        content = None if body is None else json.dumps(body)
        headers = {"Accept": accept} | ({"Content-Type": content_type} if body is not None else {})
        result: Manifest = self._send(method, path, content, headers, query).json()
        return result

    def log(self, namespace: str, pod: str, container: str, *, lines: int = 80, previous: bool = False) -> str:
        """The last lines that a container wrote; with `previous` those of the run before its last restart."""
        query = {"container": container, "tailLines": str(lines)} | ({"previous": "true"} if previous else {})
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        return self._send("GET", path, None, {"Accept": "*/*"}, query).text

    def _send(
        self, method: str, path: str, content: str | None, headers: dict[str, str], query: Query | None
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, content=content, headers=headers, params=query)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if self._on_warning is not None:
            for warning in answer.headers.get_list("warning"):
                self._on_warning(_warning_text(warning))
        if answer.is_error:
            raise _refusal(answer)
        return answer

    def _object_path(self, manifest: Manifest) -> str:
        metadata = manifest.get("metadata") or {}
        resource = self.resource(manifest["apiVersion"], manifest["kind"])
        return resource.path(metadata.get("namespace") or "default", metadata["name"])

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        return Unreachable(f"no answer from the API server at {self.server}: {str(error) or type(error).__name__}")


def _selectors(labels: str | None, fields: str | None) -> Query:
    return {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _refusal(answer: httpx.Response) -> ApiError:
    try:
        status: Manifest = answer.json()
    except ValueError:
        status = {"message": answer.text.strip() or f"the API server answered {answer.status_code}"}
    return refusal(answer.status_code, status)


def _warning_text(header: str) -> str:
    """`299 - "text"` to `text` (RFC 7234 §5.5)."""
    text = header.split(" ", 2)[-1].strip()
    return text[1:-1].replace('\\"', '"') if text.startswith('"') and text.endswith('"') else text
