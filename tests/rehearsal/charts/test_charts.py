"""Charts: rendered by Helm itself, installed by its rules on a real API server, nothing claimed that does not run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rehearsal.charts import releases, sources
from rehearsal.charts.rendering import Rendered, RenderError, render
from rehearsal.charts.sources import differences, find
from rehearsal.control_plane.control_plane import ControlPlane
from rehearsal.differences import recorded_differences
from rehearsal.host import processes
from rehearsal.kube import Kube, client
from rehearsal.kube.types import Manifest
from rehearsal.paths import StackPaths
from rehearsal.providers.kubernetes import helm
from rehearsal.providers.kubernetes.awaiting import Watcher
from rehearsal.providers.properties import dotted
from rehearsal.providers.requests import Invalid, Refused
from resource_graph.values import UNKNOWN

LWS = "oci://registry.k8s.io/lws/charts/lws"
CERT_MANAGER = "oci://quay.io/jetstack/charts/cert-manager"
ISTIO = "oci://gcr.io/istio-release/charts/base"
KIND = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "leaderworkersets.leaderworkerset.x-k8s.io")


def rendered(chart: str, values: Mapping[str, Any] | None = None) -> Rendered:
    source = find(chart)
    assert source is not None
    return render(source, "released", "somewhere", values or {}, "v1.34.0")


def named(manifests: list[Manifest], kind: str) -> list[str]:
    return [one["metadata"]["name"] for one in manifests if one["kind"] == kind]


class TestRendering:
    def test_values_reach_the_objects(self) -> None:
        found = rendered(LWS, {"resources": {"requests": {"cpu": "123m"}}})
        [deployment] = [one for one in found.objects if one["kind"] == "Deployment"]
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["requests"]["cpu"] == "123m"

    def test_kinds_of_the_folder_crds_are_no_part_of_the_release(self) -> None:
        """Helm neither changes nor deletes them."""
        found = rendered(LWS)
        assert KIND[2] in named(found.kinds, "CustomResourceDefinition")
        assert named(found.objects, "CustomResourceDefinition") == []

    def test_nobody_is_asked_who_does_not_run(self) -> None:
        """A webhook without its program would refuse everything; a hook without one would never end."""
        found = rendered(CERT_MANAGER, {"crds": {"enabled": True}})
        assert named(found.objects, "CustomResourceDefinition")
        assert named(found.objects, "Deployment")
        assert [one["kind"] for one in found.objects if one["kind"].endswith("WebhookConfiguration")] == []
        assert named(found.objects, "Job") == []

    def test_webhooks_of_programs_that_run_are_there(self) -> None:
        kinds = {one["kind"] for one in rendered(LWS).objects}
        assert {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"} <= kinds

    def test_kinds_without_their_chart_stay(self) -> None:
        found = rendered(ISTIO)
        assert "gateways.networking.istio.io" in named(found.objects, "CustomResourceDefinition")
        policies = {one["metadata"]["annotations"]["helm.sh/resource-policy"] for one in found.objects}
        assert policies == {"keep"}

    def test_an_operators_own_kinds_come_with_istios(self) -> None:
        names = named(rendered("sail-operator").objects, "CustomResourceDefinition")
        assert {"istios.sailoperator.io", "destinationrules.networking.istio.io"} <= set(names)

    def test_what_helm_refuses_is_told(self) -> None:
        with pytest.raises(RenderError, match="lws"):
            rendered(LWS, {"resources": "none", "podSecurityContext": 3, "image": 5})


class TestDifferences:
    def test_another_version_is_said(self) -> None:
        [sentence] = differences(LWS, "0.1.0")
        assert "instead of 0.1.0" in sentence

    def test_the_same_version_is_said_with_its_source(self) -> None:
        source = find(LWS)
        assert source is not None
        [sentence] = differences(LWS, source.version.removeprefix("v"))
        assert f"comes from the Go module sigs.k8s.io/lws {source.version}" in sentence

    def test_an_unknown_chart_is_said_to_install_nothing(self) -> None:
        [sentence] = differences("oci://example.com/charts/other", "1.0.0")
        assert "is not installed" in sentence

    def test_programs_that_do_not_run_are_said(self) -> None:
        assert any("do not run:" in sentence for sentence in differences(CERT_MANAGER, "v1.20.2"))

    def test_kinds_that_no_module_carries_are_said(self) -> None:
        said = differences("sail-operator", "1.27.3")
        assert "its own from this project" in said[0]
        assert "marked ready as soon as its pull secrets exist" in said[1]

    def test_every_source_is_there(self) -> None:
        missing = [name for name, source in sources._SOURCES.items() if not source.location.exists()]
        assert missing == []


class TestInputs:
    GIVEN = {"chart": LWS, "version": "0.9.0", "namespace": "lws-system", "values": {"replicaCount": 1}}

    def test_what_the_provider_fills_in(self) -> None:
        inputs = helm.check(self.GIVEN, "lws-abc", {})
        assert inputs == {**self.GIVEN, "name": "lws-abc", "timeout": 300}

    @pytest.mark.parametrize(
        ("change", "path"),
        [({"version": None}, "version"), ({"postrender": "sed"}, "postrender"), ({"chart": ""}, "chart")],
    )
    def test_what_cannot_be_rehearsed_is_refused(self, change: Mapping[str, Any], path: str) -> None:
        with pytest.raises(Invalid) as refused:
            helm.check({**self.GIVEN, **change}, "lws-abc", {})
        assert [one for one, _ in refused.value.failures] == [path]

    def test_only_another_name_or_namespace_replaces(self) -> None:
        old = helm.check(self.GIVEN, "lws-abc", {})
        other = {**old, "version": "0.10.0", "values": {"replicaCount": 2}}
        assert helm.diff(old, other).replaces == frozenset()
        assert helm.diff(old, other).changed
        moved = helm.diff(old, {**old, "namespace": "elsewhere"})
        assert [dotted(path) for path in moved.replaces] == ["namespace"]

    def test_a_preview_promises_no_status(self) -> None:
        assert helm.planned(self.GIVEN)["status"] is UNKNOWN


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackPaths]:
    stack = StackPaths("charts", tmp_path_factory.mktemp("rehearsal"))
    ControlPlane(stack).start("1.34.1-gke.1829001")
    yield stack
    processes.stop_all(stack)


@pytest.fixture
def kube(paths: StackPaths) -> Iterator[Kube]:
    with client(paths) as connection:
        yield connection


def watcher(_: Manifest) -> Watcher:
    return Watcher(lambda _: None, Path("/nonexistent"), threading.Event())


def inputs(name: str, **more: Any) -> dict[str, Any]:
    # No node runs here: what would wait for pods does not.
    given = {"chart": LWS, "version": "0.9.0", "namespace": name, "createNamespace": True, "skipAwait": True, **more}
    return helm.check(given, name, {})


class TestReleases:
    def test_a_release_comes_changes_and_goes(self, paths: StackPaths, kube: Kube) -> None:
        requested = inputs("lws")
        outputs = helm.install(paths, kube, requested, watcher)
        assert outputs["status"]["status"] == "deployed"
        assert outputs["status"]["revision"] == 1
        assert outputs["resourceNames"]["Deployment.apps/apps/v1"] == ["lws/lws-controller-manager"]
        assert kube.find("apps/v1", "Deployment", "lws-controller-manager", "lws") is not None
        assert any("sigs.k8s.io/lws" in sentence for sentence in recorded_differences(paths))
        assert helm.read(kube, "lws/lws", requested) == outputs

        more = inputs("lws", values={"replicaCount": 3, "enablePrometheus": False})
        assert helm.upgrade(paths, kube, more, watcher)["status"]["revision"] == 2
        assert kube.get("apps/v1", "Deployment", "lws-controller-manager", "lws")["spec"]["replicas"] == 3

        with pytest.raises(Refused, match="cannot re-use a name that is still in use"):
            helm.install(paths, kube, requested, watcher)
        with pytest.raises(Refused, match="cannot be imported into the current release"):
            # Its webhooks have the same names, cluster-wide.
            helm.install(paths, kube, {**requested, "namespace": "elsewhere"}, watcher)

        helm.uninstall(kube, more, watcher)
        assert kube.find("apps/v1", "Deployment", "lws-controller-manager", "lws") is None
        assert helm.read(kube, "lws/lws", requested) is None
        assert kube.find(*KIND) is not None, "with the kind every group in the cluster would go"

    def test_what_was_never_there_is_gone_already(self, kube: Kube) -> None:
        helm.uninstall(kube, inputs("never"), watcher)
        assert releases.find(kube, "never", "never") is None

    def test_an_upgrade_needs_a_release(self, paths: StackPaths, kube: Kube) -> None:
        with pytest.raises(Refused, match="has no deployed releases"):
            helm.upgrade(paths, kube, inputs("nothing"), watcher)

    def test_a_namespace_is_made_only_when_asked(self, paths: StackPaths, kube: Kube) -> None:
        with pytest.raises(Refused, match='namespaces "absent" not found'):
            helm.install(paths, kube, inputs("absent", createNamespace=False), watcher)
