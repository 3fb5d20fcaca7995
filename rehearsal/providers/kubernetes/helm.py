"""`helm.v3.Release`, after pulumi-kubernetes 4.34. Installs the available part of a chart."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from rehearsal.charts import releases
from rehearsal.charts.releases import Release, ReleaseError
from rehearsal.charts.rendering import Rendered, RenderError, render
from rehearsal.charts.sources import differences, find
from rehearsal.differences import record_difference
from rehearsal.kube import Kube, KubeError
from rehearsal.kube.types import Manifest, Manifests
from rehearsal.paths import StackPaths
from rehearsal.providers.kubernetes.awaiting import NotReady, Watcher
from rehearsal.providers.properties import Diff, Properties, difference
from rehearsal.providers.requests import Invalid, Refused
from rehearsal.toolchain.build import BuildError
from resource_graph.values import UNKNOWN, contains_unknown

RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_TIMEOUT: Final = 300  # seconds, as the real provider
_KNOWN: Final = frozenset(
    (
        "atomic",
        "chart",
        "cleanupOnFail",
        "createNamespace",
        "description",
        "maxHistory",
        "name",
        "namespace",
        "repositoryOpts",
        "skipAwait",
        "skipCrds",
        "timeout",
        "values",
        "version",
        "waitForJobs",
        # The SDK sends it with every release.
        "compat",
    )
)
_FORCE_NEW: Final = ("name", "namespace")

Tell = Callable[[Manifest], Watcher]


def check(news: Properties, name: str, config: Properties) -> Properties:
    """The inputs with the provider's defaults. Raises Invalid."""
    failures = [(key, "is not simulated") for key in sorted(news.keys() - _KNOWN) if news[key] not in (None, False)]
    if not news.get("version"):
        failures.append(("version", "set a version: the newest one of a chart is not known here"))
    if not news.get("chart"):
        failures.append(("chart", "is required"))
    if failures:
        raise Invalid(*failures)
    inputs = {key: value for key, value in news.items() if value is not None}
    inputs.setdefault("name", name)
    inputs["namespace"] = inputs.get("namespace") or config.get("namespace") or "default"
    if not inputs.get("skipAwait"):
        inputs.setdefault("timeout", _TIMEOUT)
    return inputs


def diff(olds: Properties, news: Properties) -> Diff:
    found = difference(olds, news)
    return Diff(found.changes, frozenset(path for path in found.changes if path[0] in _FORCE_NEW))


def planned(inputs: Properties) -> Properties:
    """Outputs of a preview."""
    return {**inputs, "resourceNames": UNKNOWN, "status": UNKNOWN}


def identity(inputs: Properties) -> str:
    return f"{inputs['namespace']}/{inputs['name']}"


def install(paths: StackPaths, kube: Kube, inputs: Properties, watcher: Tell) -> Properties:
    """Install a release. Raises Refused. An `atomic` release that does not become ready is removed again."""
    name, namespace = str(inputs["name"]), str(inputs["namespace"])
    if contains_unknown(inputs):
        raise Refused(f"release {namespace}/{name} has unknown inputs")
    rendered = _rendered(paths, kube, inputs)
    try:
        if releases.find(kube, namespace, name) is not None:
            raise Refused("cannot re-use a name that is still in use")
        _namespace(kube, namespace, create=bool(inputs.get("createNamespace")))
        release = _write(kube, inputs, rendered, revision=1)
        try:
            _wait(kube, inputs, release, watcher)
        except NotReady as unready:
            if inputs.get("atomic"):
                _remove(kube, release, inputs, watcher)
            raise Refused(f"release {namespace}/{name} failed, and was removed again: {unready}") from unready
    except (KubeError, ReleaseError) as error:
        raise Refused(f"release {namespace}/{name} was not installed: {error}") from error
    return _outputs(inputs, release)


def upgrade(paths: StackPaths, kube: Kube, inputs: Properties, watcher: Tell) -> Properties:
    name, namespace = str(inputs["name"]), str(inputs["namespace"])
    rendered = _rendered(paths, kube, inputs)
    try:
        before = releases.find(kube, namespace, name)
        if before is None:
            raise Refused(f'"{name}" has no deployed releases')
        release = _write(kube, inputs, rendered, revision=before.revision + 1)
        releases.remove(kube, tuple(identity for identity in before.objects if identity not in release.objects))
        try:
            _wait(kube, inputs, release, watcher)
        except NotReady as unready:
            raise Refused(f"release {namespace}/{name} did not become ready: {unready}") from unready
    except (KubeError, ReleaseError) as error:
        raise Refused(f"release {namespace}/{name} was not upgraded: {error}") from error
    return _outputs(inputs, release)


def uninstall(kube: Kube, inputs: Properties, watcher: Tell) -> None:
    name, namespace = str(inputs["name"]), str(inputs["namespace"])
    try:
        release = releases.find(kube, namespace, name)
        if release is not None:
            _remove(kube, release, inputs, watcher)
    except NotReady as stays:
        raise Refused(f"release {namespace}/{name}: {stays}") from stays
    except KubeError as error:
        raise Refused(f"release {namespace}/{name} was not removed: {error}") from error


def read(kube: Kube, resource_id: str, inputs: Properties) -> Properties | None:
    """The outputs of the current release, None when it does not exist."""
    namespace, _, name = resource_id.partition("/")
    try:
        release = releases.find(kube, namespace, name)
    except KubeError as error:
        raise Refused(f"release {resource_id} cannot be read: {error}") from error
    return None if release is None else _outputs(inputs, release)


def _rendered(paths: StackPaths, kube: Kube, inputs: Properties) -> Rendered:
    chart, version = str(inputs["chart"]), str(inputs["version"])
    for sentence in differences(chart, version):
        record_difference(paths, sentence)
    source = find(chart)
    if source is None:
        return Rendered([], [], "")
    values: dict[str, Any] = inputs.get("values") or {}
    try:
        return render(source, str(inputs["name"]), str(inputs["namespace"]), values, kube.server_version())
    except (RenderError, BuildError) as error:
        raise Refused(f"the chart {chart} cannot be rendered: {error}") from error


def _namespace(kube: Kube, name: str, *, create: bool) -> None:
    if kube.find("v1", "Namespace", name) is not None:
        return
    if not create:
        raise ReleaseError(f'namespaces "{name}" not found')
    about = {"name": name, "labels": {"name": name}}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": about}, field_manager=releases.MANAGER)


def _write(kube: Kube, inputs: Properties, rendered: Rendered, revision: int) -> Release:
    name, namespace = str(inputs["name"]), str(inputs["namespace"])
    if not inputs.get("skipCrds"):
        releases.install_kinds(kube, rendered.kinds)
    applied = releases.apply(kube, name, namespace, rendered.objects)
    release = Release(
        name=name,
        namespace=namespace,
        revision=revision,
        chart=str(inputs["chart"]).rstrip("/").rsplit("/", 1)[-1],
        version=str(inputs["version"]),
        app_version=rendered.app_version,
        objects=tuple(releases.identity(manifest) for manifest in applied),
    )
    releases.save(kube, release)
    return release


def _wait(kube: Kube, inputs: Properties, release: Release, watcher: Tell) -> None:
    if inputs.get("skipAwait"):
        return
    deadline = time.monotonic() + float(inputs.get("timeout") or _TIMEOUT)
    for live in _live(kube, release):
        watcher(live).until_ready(kube, live, live, max(1.0, deadline - time.monotonic()))


def _remove(kube: Kube, release: Release, inputs: Properties, watcher: Tell) -> None:
    deadline = time.monotonic() + float(inputs.get("timeout") or _TIMEOUT)
    for live in releases.remove(kube, release.objects):
        watcher(live).until_gone(kube, live, live, max(1.0, deadline - time.monotonic()))
    releases.delete_record(kube, release.namespace, release.name)


def _live(kube: Kube, release: Release) -> Manifests:
    found = [kube.find(version, kind, name, namespace) for version, kind, namespace, name in release.objects]
    return [manifest for manifest in found if manifest is not None]


def _outputs(inputs: Properties, release: Release) -> Properties:
    names: dict[str, list[str]] = {}
    for api_version, kind, namespace, name in release.objects:
        group = api_version.rpartition("/")[0]
        key = f"{kind}.{group}/{api_version}" if group else f"{kind}/{api_version}"
        names.setdefault(key, []).append(f"{namespace}/{name}" if namespace else name)
    status = {
        "appVersion": release.app_version,
        "chart": release.chart,
        "name": release.name,
        "namespace": release.namespace,
        "revision": release.revision,
        "status": "deployed",
        "version": release.version,
    }
    return {**inputs, "resourceNames": names, "status": status}
