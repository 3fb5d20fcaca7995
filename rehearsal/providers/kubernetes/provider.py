"""Check, diff, create, update, delete and read of Kubernetes objects, as Pulumi's own provider does them.

Written after pulumi-kubernetes 4.34. What differs: unknown fields are refused, not dropped with a warning, so that
a misspelt field shows here; YAML files, patches of foreign objects and rendering to files are not simulated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from rehearsal.kube import ApiError, Conflict, Kube, KubeError, NotFound, UnknownKind, Unreachable
from rehearsal.kube.types import Manifest
from rehearsal.paths import StackPaths
from rehearsal.providers.base import Provider
from rehearsal.providers.kubernetes import helm, replacing, waiting
from rehearsal.providers.kubernetes.awaiting import NotReady, Watcher
from rehearsal.providers.kubernetes.clusters import Clusters, active_cluster
from rehearsal.providers.kubernetes.objects import (
    CLUSTER_WIDE,
    FIELD_MANAGER,
    PATCH_FORCE,
    PROPAGATION,
    READ_ONLY,
    WAIT_FOR,
    Kind,
    annotation,
    autoname,
    from_pulumi,
    identity,
    imported,
    is_autonamed,
    is_named,
    metadata,
    parse_identity,
    parse_token,
    shaped,
    to_pulumi,
    with_name,
    with_secrets,
    with_string_data,
)
from rehearsal.providers.properties import Diff, Path, Properties, difference
from rehearsal.providers.requests import (
    CheckRequest,
    Created,
    CreateRequest,
    DeleteRequest,
    Invalid,
    Live,
    ReadRequest,
    Refused,
    Request,
    Unready,
    UpdateRequest,
)
from resource_graph.values import UNKNOWN, contains_unknown

MANAGER: Final = "pulumi-kubernetes"
CONNECTION: Final = ("kubeconfig", "context", "cluster")
# Seconds to wait for a CRD or namespace that a parallel step has just created.
PATIENCE: Final = 60.0
NOT_STOOD_IN_FOR: Final = {
    "renderYamlToDirectory": "the rehearsal applies objects and renders none",
    "kustomize": "kustomizations are not simulated",
}


class KubernetesProvider(Provider):
    """Serves `kubernetes:*` resources against the cluster of one stack. `report` gets a line when a wait takes long."""

    name = "kubernetes"
    version = "4.34.2"

    def __init__(self, paths: StackPaths, report: Callable[[str], None]) -> None:
        super().__init__()
        self._paths = paths
        self._report = report
        self._clusters = Clusters(paths, report)

    # The provider resource

    def check_config(self, urn: str, olds: Properties | None, news: Properties) -> Properties:  # noqa: ARG002
        failures = [(key, reason) for key, reason in NOT_STOOD_IN_FOR.items() if news.get(key)]
        if news.get("enableServerSideApply") in (False, "false"):
            failures.append(("enableServerSideApply", "the rehearsal knows server-side apply only"))
        if failures:
            raise Invalid(*failures)
        return news

    def diff_config(self, urn: str, olds: Properties, news: Properties) -> Diff:  # noqa: ARG002
        """Diff a provider. An unchanged `clusterIdentifier` means the same cluster, whatever the kubeconfig."""
        found = difference(olds, news)
        before, after = olds.get("clusterIdentifier"), news.get("clusterIdentifier")
        if before is not None and before == after:
            return found
        replaces: set[Path] = {("clusterIdentifier",)} if before is not None and after is not None else set()
        unknown = next((key for key in CONNECTION if news.get(key) is UNKNOWN), None)
        clusters = active_cluster(olds), active_cluster(news)
        if unknown is not None:
            replaces.add((unknown,))
        elif None not in clusters and clusters[0] != clusters[1]:
            replaces |= {path for path in found.changes if path[0] in CONNECTION}
        return Diff(found.changes, frozenset(replaces))

    # Objects

    def check(self, request: CheckRequest) -> Properties:
        if request.type == helm.RELEASE:
            named = (request.olds or {}).get("name") or autoname(request.name, request.seed)
            return helm.check(request.news, str(named), request.config)
        kind = _kind(request)
        manifest = from_pulumi(request.news, kind)
        olds = from_pulumi(request.olds, kind) if request.olds else None
        if not is_named(manifest):
            if metadata(manifest).get("generateName"):
                raise Invalid(("metadata.generateName", "is not supported with server-side apply; give a name or none"))
            adopted = olds is not None and is_autonamed(olds) and metadata(olds).get("name")
            manifest = with_name(manifest, adopted or autoname(request.name, request.seed))
        if annotation(manifest, WAIT_FOR):
            _check_wait_for(annotation(manifest, WAIT_FOR))
        about = metadata(manifest)
        if about and about.get("namespace") is None and not self._is_cluster_wide(request, kind):
            manifest["metadata"] = {**about, "namespace": request.config.get("namespace") or "default"}
        return with_secrets(manifest)

    def diff(self, request: UpdateRequest) -> Diff:
        if request.type == helm.RELEASE:
            return helm.diff(request.old_inputs, request.news)
        kind = _kind(request)
        return replacing.compare(
            from_pulumi(request.old_inputs, kind),
            from_pulumi(request.news, kind),
            cluster_wide=self._is_cluster_wide(request, kind),
            configmaps_mutable=_flag(request, "enableConfigMapMutable"),
            secrets_mutable=_flag(request, "enableSecretMutable"),
        )

    def create(self, request: CreateRequest) -> Created:
        if request.type == helm.RELEASE:
            if request.preview:
                return Created("", helm.planned(request.inputs))
            outputs = helm.install(self._paths, self._connect(request), request.inputs, self._watching(request))
            return Created(helm.identity(request.inputs), outputs)
        manifest = from_pulumi(request.inputs, _kind(request))
        if request.preview:
            return Created("", self._planned(request, manifest, request.inputs, creating=True))
        kube = self._connect(request)
        applied = self._patiently(request, manifest, lambda: self._create(request, kube, manifest))
        return Created(identity(applied), to_pulumi(self._ready(request, kube, applied, manifest, request.timeout)))

    def update(self, request: UpdateRequest) -> Properties:
        if request.type == helm.RELEASE:
            if request.preview:
                return helm.planned(request.news)
            return helm.upgrade(self._paths, self._connect(request), request.news, self._watching(request))
        manifest = from_pulumi(request.news, _kind(request))
        if request.preview:
            return self._planned(request, manifest, request.news, creating=False)
        kube = self._connect(request)
        if self._find(kube, manifest) is None:
            raise Refused(f"{_title(manifest)} no longer exists in the cluster; `pulumi refresh` notices that")
        try:
            applied = self._apply(request, kube, manifest)
        except KubeError as error:
            raise Refused(f"{_title(manifest)} was not updated by the Kubernetes API server: {error}") from error
        return to_pulumi(self._ready(request, kube, applied, manifest, request.timeout))

    def delete(self, request: DeleteRequest) -> None:
        if request.type == helm.RELEASE:
            self._uninstall(request)
            return
        manifest = from_pulumi(request.old_inputs, _kind(request))
        namespace, name = parse_identity(request.id)
        try:
            kube = self._clusters.connect(request.config)
            live = kube.find(manifest["apiVersion"], manifest["kind"], name, namespace)
            if live is None:
                return
            kube.delete(live["apiVersion"], live["kind"], name, namespace, propagation=_propagation(manifest))
            self._watcher(request, live).until_gone(kube, live, manifest, request.timeout)
        except NotReady as stays:
            raise Refused(f"{_title(stays.live)}: {stays}") from stays
        except ApiError as error:
            raise Refused(f"{manifest['kind']} {request.id} was not deleted: {error}") from error
        except KubeError as error:
            if self._clusters.exists():
                self.log(request, f"taken as gone with its cluster: {error}", warning=True)

    def read(self, request: ReadRequest) -> Live | None:
        if request.type == helm.RELEASE:
            outputs = helm.read(self._connect(request), request.id, request.old_inputs)
            return None if outputs is None else Live(request.id, outputs)
        kind = _kind(request)
        namespace, name = parse_identity(request.id)
        kube = self._connect(request)
        try:
            live = kube.find(kind.api_version, kind.kind, name, namespace)
        except KubeError as error:
            raise Refused(f"{kind.kind} {request.id} cannot be read: {error}") from error
        if live is None:
            return None
        wanted = from_pulumi(request.old_inputs, kind) if request.old_inputs else None
        inputs = shaped(with_string_data(live, wanted), wanted) if wanted else imported(live)
        return Live(request.id, to_pulumi(live), with_secrets(inputs))

    # Helpers

    def _uninstall(self, request: DeleteRequest) -> None:
        try:
            kube = self._clusters.connect(request.config)
        except KubeError as error:
            if self._clusters.exists():
                self.log(request, f"taken as gone with its cluster: {error}", warning=True)
            return
        helm.uninstall(kube, request.old_inputs, self._watching(request))

    def _watching(self, request: Request) -> Callable[[Manifest], Watcher]:
        return lambda manifest: self._watcher(request, manifest)

    def _connect(self, request: Request) -> Kube:
        try:
            return self._clusters.connect(request.config)
        except KubeError as error:
            raise Refused(f"the configured Kubernetes cluster is unreachable: {error}") from error

    def _is_cluster_wide(self, request: Request, kind: Kind) -> bool:
        """Whether a kind is namespaced: by the server, else by a table. An unknown custom kind is namespaced."""
        try:
            return not self._clusters.connect(request.config).resource(kind.api_version, kind.kind).namespaced
        except (KubeError, Refused):
            return kind.kind in CLUSTER_WIDE

    def _planned(self, request: Request, manifest: Manifest, inputs: Properties, *, creating: bool) -> Properties:
        """Outputs of a preview: of a dry run where the server supports the kind already, else the inputs."""
        if contains_unknown(manifest):
            return inputs
        try:
            kube = self._clusters.connect(request.config)
            if not kube.serves(manifest["apiVersion"], manifest["kind"]):
                return inputs
            if creating and self._find(kube, manifest) is not None:
                return inputs  # may be about to be deleted for a replacement
            planned = self._apply(request, kube, manifest, dry_run=True)
        except (NotFound, UnknownKind, Unreachable):
            return inputs  # a namespace or a kind that this very update makes
        except ApiError as error:
            if "because it is being terminated" in str(error):
                return inputs
            raise Refused(f"{_title(manifest)} would be refused by the Kubernetes API server: {error}") from error
        except KubeError:
            return inputs
        planned.pop("status", None)
        if creating:
            made_up = [key for key in READ_ONLY if key in planned["metadata"] and key != "generation"]
            planned["metadata"].update(dict.fromkeys(made_up, UNKNOWN))
        return to_pulumi(planned)

    def _create(self, request: Request, kube: Kube, manifest: Manifest) -> Manifest:
        found = None if _flag(request, "upsertExistingObjects") else self._find(kube, manifest)
        if found is not None and "deletionTimestamp" in found["metadata"]:
            raise _StillThere(f"the {_title(manifest)} of before is still being deleted")
        if found is not None:
            raise Refused(
                f"{_title(manifest)} already exists in the cluster.\n"
                "  renamed in the program: give the resource an alias, or deleteBeforeReplace\n"
                "  made by someone else: `pulumi import` it, or own some of its fields with a Patch resource\n"
                "  to be taken over: set upsertExistingObjects on the provider"
            )
        return self._apply(request, kube, manifest)

    def _apply(self, request: Request, kube: Kube, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        manager = annotation(manifest, FIELD_MANAGER) or MANAGER
        force = annotation(manifest, PATCH_FORCE) == "true" or _flag(request, "enablePatchForce")
        try:
            return kube.apply(_in_scope(kube, manifest), field_manager=manager, force=force, dry_run=dry_run)
        except Conflict as error:
            raise Refused(
                f"{_title(manifest)}: fields of it belong to another manager: {error}\n"
                f"  leave them out, or take them over with the annotation {PATCH_FORCE}"
            ) from error

    def _patiently(self, request: Request, manifest: Manifest, attempt: Callable[[], Manifest]) -> Manifest:
        """Try again while the kind or the namespace does not exist, or an object of the same name is being deleted."""
        deadline = time.monotonic() + PATIENCE
        pause = 0.2
        while True:
            try:
                return attempt()
            except (NotFound, UnknownKind, _StillThere) as error:
                if time.monotonic() > deadline:
                    raise Refused(
                        f"{_title(manifest)} was not created: {error}\n"
                        "  verify that the CRD and the namespace it needs exist"
                    ) from error
                self.log(request, f"waiting: {error}", passing=True)
            except KubeError as error:
                raise Refused(f"{_title(manifest)} was not created by the Kubernetes API server: {error}") from error
            if self.canceled.wait(pause):
                raise Refused(f"{_title(manifest)}: canceled")
            pause = min(pause * 2, 5.0)

    def _ready(self, request: Request, kube: Kube, applied: Manifest, inputs: Manifest, timeout: float) -> Manifest:
        try:
            return self._watcher(request, applied).until_ready(kube, applied, inputs, timeout)
        except NotReady as unready:
            reasons = [f"{_title(applied)} exists, but did not become ready", *unready.reasons]
            raise Unready(identity(applied), to_pulumi(unready.live), reasons) from unready
        except (KubeError, Refused) as error:
            raise Unready(identity(applied), to_pulumi(applied), [str(error)]) from error

    def _watcher(self, request: Request, manifest: Manifest) -> Watcher:
        def tell(text: str) -> None:
            self.log(request, text, passing=True)
            self._report(f"{_title(manifest)}: {text}")

        return Watcher(tell, self._paths.pod_logs, self.canceled)

    def _find(self, kube: Kube, manifest: Manifest) -> Manifest | None:
        """The live object; UnknownKind when its kind is not served."""
        kube.resource(manifest["apiVersion"], manifest["kind"])
        about = metadata(manifest)
        return kube.find(manifest["apiVersion"], manifest["kind"], about["name"], about.get("namespace"))


class _StillThere(KubeError):  # noqa: N818
    """An object of the same name has finalizers to wait for."""


def _kind(request: Request) -> Kind:
    kind = parse_token(request.type)
    if kind.patch or kind.is_list:
        raise Refused(f"{request.type} is not simulated: only single whole objects are")
    return kind


def _check_wait_for(expression: str) -> None:
    try:
        waiting.parse(expression)
    except Refused as error:
        raise Invalid((f'metadata.annotations["{WAIT_FOR}"]', str(error))) from error


def _title(manifest: Manifest) -> str:
    return f"{manifest['kind']} {identity(manifest)}"


def _flag(request: Request, name: str) -> bool:
    """SDKs send the provider's booleans as JSON text."""
    return request.config.get(name) in (True, "true")


# Kinds whose controllers create objects. Deletion waits for those, as the real provider does for every kind.
_OWNERS = ("apps", "batch", "leaderworkerset.x-k8s.io", "serving.kserve.io")


def _propagation(manifest: Manifest) -> Any:
    policy = annotation(manifest, PROPAGATION).capitalize()
    if policy in ("Orphan", "Background", "Foreground"):
        return policy
    # The garbage collector discovers a new kind only every 30 s, and would delay the deletion of an object without
    # dependents for as long.
    return "Foreground" if manifest["apiVersion"].split("/")[0] in _OWNERS else "Background"


def _in_scope(kube: Kube, manifest: Manifest) -> Manifest:
    """The manifest without a default namespace if its kind is cluster-wide."""
    if kube.resource(manifest["apiVersion"], manifest["kind"]).namespaced:
        return manifest
    return {**manifest, "metadata": {key: value for key, value in metadata(manifest).items() if key != "namespace"}}
