"""A real control plane: GKE's built-in objects exist, refusals are the API server's, and a crash loses nothing."""

from __future__ import annotations

import datetime
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_d_gke.kube import ApiError, Conflict, Kube, KubeError, Manifest, NotFound, UnknownKind
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane import start_data
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane, ControlPlaneError
from llm_d_gke.rehearsal.control_plane.parts import CONTROLLERS
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from tests.waiting import eventually

pytestmark = pytest.mark.rehearsal

NEW = "1.34.1-gke.1829001"
OLD = "1.33.2-gke.1335000"


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackPaths]:
    stack = StackPaths("control-plane", tmp_path_factory.mktemp("rehearsal"))
    with pytest.MonkeyPatch.context() as patch:
        # With the data of an earlier cluster, GKE's kinds would be as old as that one.
        patch.setattr(start_data, "restore", lambda *_: False)
        ControlPlane(stack).start(Features(NEW))
    yield stack
    processes.stop_all(stack)


@pytest.fixture(scope="module")
def kube(paths: StackPaths) -> Iterator[Kube]:
    with client(paths) as connection:
        yield connection


def pod_template(labels: dict[str, str]) -> Manifest:
    container = {"name": "main", "image": "registry.example/main:1", "resources": {"requests": {"cpu": "1"}}}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container]}}


def deployment(name: str, replicas: int) -> Manifest:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod_template(labels)},
    }


def node(name: str) -> Manifest:
    labels = {"kubernetes.io/hostname": name, "cloud.google.com/gke-nodepool": "cpu"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def health_check(name: str, http: Manifest, **default: int) -> Manifest:
    config = {"type": "HTTP", "httpHealthCheck": http}
    target = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool"}
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": "HealthCheckPolicy",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"default": {"config": config, **default}, "targetRef": target},
    }


class TestWhatGkeBrings:
    @pytest.mark.parametrize(
        ("api_version", "kind"),
        [
            ("gateway.networking.k8s.io/v1", "Gateway"),
            ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            ("inference.networking.k8s.io/v1", "InferencePool"),
            ("networking.gke.io/v1", "HealthCheckPolicy"),
            ("networking.gke.io/v1", "GCPBackendPolicy"),
            ("networking.gke.io/v1", "GCPGatewayPolicy"),
            ("networking.gke.io/v1", "GCPInferencePoolImport"),
            ("autoscaling.gke.io/v1beta1", "AutoscalingMetric"),
            ("networking.gke.io/v1", "GCPRoutingExtension"),
            ("networking.gke.io/v1", "GCPTrafficExtension"),
            ("monitoring.googleapis.com/v1", "PodMonitoring"),
            ("monitoring.googleapis.com/v1", "ClusterPodMonitoring"),
        ],
    )
    def test_its_kinds_are_served(self, kube: Kube, api_version: str, kind: str) -> None:
        assert "status" in kube.resource(api_version, kind).subresources

    def test_kinds_it_leaves_to_the_user_are_not(self, kube: Kube) -> None:
        assert not kube.serves("inference.networking.x-k8s.io/v1alpha2", "InferenceObjective")

    @pytest.mark.parametrize(
        "name",
        [
            "gke-l7-regional-external-managed",
            "gke-l7-rilb",
            "gke-l7-global-external-managed",
            "gke-l7-cross-regional-internal-managed-mc",
        ],
    )
    def test_gateway_classes_are_accepted(self, kube: Kube, name: str) -> None:
        gateway_class = kube.get("gateway.networking.k8s.io/v1", "GatewayClass", name)
        assert gateway_class["spec"]["controllerName"] == "networking.gke.io/gateway"
        assert [(condition["type"], condition["status"]) for condition in gateway_class["status"]["conditions"]] == [
            ("Accepted", "True")
        ]

    def test_there_is_one_default_storage_class(self, kube: Kube) -> None:
        marked = [
            storage_class["metadata"]["name"]
            for storage_class in kube.list("storage.k8s.io/v1", "StorageClass")
            if (storage_class["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class")
            == "true"
        ]
        assert marked == ["standard-rwo"]

    def test_the_controllers_start_after_its_kinds(self, kube: Kube, paths: StackPaths) -> None:
        """Their garbage collector looks for kinds when it starts and every 30 s, and deletes nothing of others."""
        controllers = processes.find(paths, CONTROLLERS)
        assert controllers is not None
        created = [
            datetime.datetime.fromisoformat(crd["metadata"]["creationTimestamp"]).timestamp()
            for crd in kube.list("apiextensions.k8s.io/v1", "CustomResourceDefinition")
            if crd["spec"]["group"] in ("gateway.networking.k8s.io", "networking.gke.io")
        ]
        assert created
        assert max(created) <= controllers.order / 1e9

    def test_the_collector_of_managed_prometheus_has_its_account(self, kube: Kube) -> None:
        assert kube.get("v1", "ServiceAccount", "collector", "gmp-system")

    def test_a_stack_that_applies_a_kind_gke_owns_meets_a_conflict(self, kube: Kube) -> None:
        name = "inferencepools.inference.networking.k8s.io"
        crd = kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
        for field in ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"):
            del crd["metadata"][field]
        del crd["status"]
        crd["spec"]["names"]["shortNames"] = ["other"]
        with pytest.raises(Conflict, match="addon-manager"):
            kube.managed_by("somebody").apply(crd, dry_run=True)


class TestPolicies:
    """The rules on which real stacks have failed; each kind's full schema is in rehearsal/control_plane/crds."""

    def test_a_fixed_port_is_accepted(self, kube: Kube) -> None:
        http = {"port": 8000, "portSpecification": "USE_FIXED_PORT", "requestPath": "/health"}
        assert kube.apply(health_check("good", http, checkIntervalSec=15, timeoutSec=15), dry_run=True)

    def test_a_port_alone_is_refused(self, kube: Kube) -> None:
        with pytest.raises(
            ApiError, match="port and portName must be unset for portSpecification being USE_SERVING_PORT"
        ):
            kube.apply(health_check("bad", {"port": 8000, "requestPath": "/health"}), dry_run=True)

    @pytest.mark.parametrize(
        ("default", "message"),
        [
            ({"checkIntervalSec": 5, "timeoutSec": 6}, "cannot exceed checkIntervalSec"),
            ({"timeoutSec": 6}, "when checkIntervalSec is unspecified"),
            ({"checkIntervalSec": 4}, "when timeoutSec is unspecified"),
            ({"checkIntervalSec": 301}, "less than or equal to 300"),
        ],
    )
    def test_a_timeout_beyond_its_interval_is_refused(self, kube: Kube, default: dict[str, int], message: str) -> None:
        http = {"port": 8000, "portSpecification": "USE_FIXED_PORT"}
        with pytest.raises(ApiError, match=message):
            kube.apply(health_check("bad", http, **default), dry_run=True)

    def test_a_type_without_its_block_is_refused(self, kube: Kube) -> None:
        policy = health_check("bad", {})
        policy["spec"]["default"]["config"]["type"] = "GRPC"
        with pytest.raises(ApiError, match="grpcHealthCheck must be specified for type GRPC"):
            kube.apply(policy, dry_run=True)

    @pytest.mark.parametrize("seconds", [0, 2147483648])
    def test_a_backend_timeout_out_of_bounds_is_refused(self, kube: Kube, seconds: int) -> None:
        target = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool"}
        policy = {
            "apiVersion": "networking.gke.io/v1",
            "kind": "GCPBackendPolicy",
            "metadata": {"name": "bad", "namespace": "default"},
            "spec": {"default": {"timeoutSec": seconds}, "targetRef": target},
        }
        with pytest.raises(ApiError, match="timeoutSec"):
            kube.apply(policy, dry_run=True)

    @pytest.mark.parametrize(
        ("kind", "extension", "message"),
        [
            (
                "GCPTrafficExtension",
                {"googleAPIServiceName": "modelarmor.us-central1.rep.googleapis.com"},
                "supportedEvents",
            ),
            ("GCPTrafficExtension", {"supportedEvents": ["RequestHeaders"]}, "Exactly one of"),
            ("GCPRoutingExtension", {"backendRef": {"name": "router", "port": 9004}}, "authority must be set"),
            (
                "GCPRoutingExtension",
                {
                    "backendRef": {"name": "router", "port": 9004},
                    "authority": "router",
                    "supportedEvents": ["RequestHeaders", "RequestBody"],
                    "requestBodySendMode": "FullDuplexStreamed",
                },
                "RequestTrailers",
            ),
            (
                "GCPRoutingExtension",
                {"googleAPIServiceName": "dlp.googleapis.com", "timeout": "11s"},
                "between 10-10000",
            ),
        ],
    )
    def test_an_extension_that_cannot_work_is_refused(
        self, kube: Kube, kind: str, extension: Manifest, message: str
    ) -> None:
        target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway"}
        chain = {"name": "chain", "extensions": [{"name": "one", **extension}]}
        manifest = {
            "apiVersion": "networking.gke.io/v1",
            "kind": kind,
            "metadata": {"name": "bad", "namespace": "default"},
            "spec": {"targetRefs": [target], "extensionChains": [chain]},
        }
        with pytest.raises(ApiError, match=message):
            kube.apply(manifest, dry_run=True)

    @pytest.mark.parametrize(
        ("endpoint", "message"),
        [
            ({"port": "metrics"}, "interval: Required"),
            ({"port": "metrics", "interval": "5s", "timeout": "6s"}, "must not be greater than scrape interval"),
            (
                {
                    "port": 9090,
                    "interval": "5s",
                    "authorization": {"credentials": {"secret": {"name": "a", "key": "b", "namespace": "c"}}},
                },
                "Namespace not allowed",
            ),
        ],
    )
    def test_a_scrape_that_cannot_work_is_refused(self, kube: Kube, endpoint: Manifest, message: str) -> None:
        manifest = {
            "apiVersion": "monitoring.googleapis.com/v1",
            "kind": "PodMonitoring",
            "metadata": {"name": "bad", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "a"}}, "endpoints": [endpoint]},
        }
        with pytest.raises(ApiError, match=message):
            kube.apply(manifest, dry_run=True)

    def test_a_field_that_does_not_exist_is_refused(self, kube: Kube) -> None:
        policy = health_check("bad", {"port": 8000, "portSpecification": "USE_FIXED_PORT", "path": "/health"})
        with pytest.raises(ApiError, match=r"httpHealthCheck\.path: field not declared in schema"):
            kube.apply(policy, dry_run=True)


class TestScheduling:
    def test_pods_wait_for_a_node_and_get_it(self, kube: Kube) -> None:
        kube.apply(deployment("waiting", 2))

        def pods() -> list[Manifest]:
            return kube.list("v1", "Pod", "default", labels="app=waiting")

        def reasons() -> set[str]:
            return {condition.get("reason", "") for pod in pods() for condition in pod["status"].get("conditions", [])}

        eventually(lambda: len(pods()) == 2 and "Unschedulable" in reasons())
        assert {pod["status"]["phase"] for pod in pods()} == {"Pending"}

        kube.create(node("node-1"))
        size = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        kube.patch_status("v1", "Node", "node-1", {"allocatable": size, "capacity": size})
        eventually(lambda: {pod["spec"].get("nodeName") for pod in pods()} == {"node-1"})
        assert kube.get("coordination.k8s.io/v1", "Lease", "node-1", "kube-node-lease")

    def test_a_node_without_a_size_does_not_become_ready(self, kube: Kube) -> None:
        kube.create(node("node-2"))
        time.sleep(2)
        conditions = kube.get("v1", "Node", "node-2")["status"].get("conditions") or []
        assert [
            condition for condition in conditions if condition["type"] == "Ready" and condition["status"] == "True"
        ] == []

    def test_pods_of_a_restricted_namespace_are_checked(self, kube: Kube) -> None:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": "locked", "labels": labels}
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        eventually(lambda: kube.find("v1", "ServiceAccount", "default", "locked") is not None)
        pod = {"apiVersion": "v1", "kind": "Pod", **pod_template({})}
        pod["metadata"] = {"name": "loose", "namespace": "locked"}
        with pytest.raises(ApiError, match="violates PodSecurity") as caught:
            kube.apply(pod)
        assert (caught.value.code, caught.value.reason) == (403, "Forbidden")


class TestClient:
    def test_a_missing_object_and_a_missing_kind_are_told_apart(self, kube: Kube) -> None:
        with pytest.raises(NotFound):
            kube.get("v1", "ConfigMap", "none", "default")
        with pytest.raises(UnknownKind, match=r'no matches for kind "Thing" in version "example\.com/v1"'):
            kube.get("example.com/v1", "Thing", "none")

    def test_a_kind_is_found_as_soon_as_it_is_served(self, kube: Kube) -> None:
        assert not kube.serves("example.org/v1", "Late")
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"kind": "Late", "plural": "lates"}
        kube.apply(
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": "lates.example.org"},
                "spec": {"group": "example.org", "scope": "Cluster", "names": names, "versions": [version]},
            }
        )
        kube.wait_established(["lates.example.org"])
        kube.apply({"apiVersion": "example.org/v1", "kind": "Late", "metadata": {"name": "one"}, "spec": {}})
        assert kube.delete("example.org/v1", "Late", "one")
        assert not kube.delete("example.org/v1", "Late", "one")

    def test_a_kind_that_never_comes_is_named(self, kube: Kube) -> None:
        with pytest.raises(KubeError, match=r"not established after 0 s: never\.example\.org"):
            kube.wait_established(["never.example.org"], timeout=0.1)

    def test_a_dry_run_leaves_nothing(self, kube: Kube) -> None:
        metadata = {"name": "dry", "namespace": "default"}
        answer = kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, dry_run=True)
        assert answer["metadata"]["uid"]
        assert kube.find("v1", "ConfigMap", "dry", "default") is None

    def test_a_watch_continues_from_a_list(self, kube: Kube) -> None:
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "watched", "namespace": "default"}}
        _, version = kube.list_at("v1", "ConfigMap", "default")
        kube.apply(config)
        kube.delete("v1", "ConfigMap", "watched", "default")
        seen = kube.watch("v1", "ConfigMap", "default", resource_version=version, timeout=1)
        assert [kind for kind, manifest in seen if manifest["metadata"].get("name") == "watched"] == [
            "ADDED",
            "DELETED",
        ]

    def test_warnings_reach_whoever_asked_for_them(self, paths: StackPaths) -> None:
        warnings: list[str] = []
        with client(paths, on_warning=warnings.append) as listening:
            metadata = {"name": "old", "namespace": "default"}
            listening.apply({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}, dry_run=True)
        assert warnings == ["v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"]

    def test_a_stack_without_a_cluster_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(KubeError, match="stack none has no cluster"):
            client(StackPaths("none", tmp_path))


class TestLife:
    def test_a_second_start_changes_nothing(self, paths: StackPaths) -> None:
        before = processes.listing(paths)
        ControlPlane(paths).start(Features(NEW))
        assert processes.listing(paths) == before

    def test_a_crash_is_repaired_and_loses_nothing(self, paths: StackPaths, kube: Kube) -> None:
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "namespace": "default"}})
        for process in processes.listing(paths):
            os.kill(process.pid, signal.SIGKILL)
        eventually(lambda: not any(ControlPlane(paths).parts().values()))
        ControlPlane(paths).start(Features(NEW))
        assert ControlPlane(paths).running()
        assert kube.get("v1", "ConfigMap", "kept", "default")

    def test_a_taken_port_is_named(self, tmp_path: Path) -> None:
        stack = StackPaths("taken", tmp_path)
        plane = ControlPlane(stack)
        port = int(plane.endpoint.rpartition(":")[2])
        try:
            with socket.socket() as other:
                other.bind(("127.0.0.1", port))
                other.listen()
                with pytest.raises(
                    ControlPlaneError, match=f"port {port} on 127.0.0.1, where kube-apiserver of stack taken"
                ):
                    plane.start(Features(NEW))
        finally:
            processes.stop_all(stack)

    def test_the_service_range_is_for_life(self, paths: StackPaths) -> None:
        with pytest.raises(ControlPlaneError, match="the service range of a cluster cannot change"):
            ControlPlane(paths).start(Features(NEW, service_range="10.97.0.0/16"))

    def test_a_version_that_is_none_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ControlPlaneError, match="'v1' is not a GKE version"):
            ControlPlane(StackPaths("none", tmp_path)).start(Features("v1"))

    def test_keys_are_for_their_owner_only(self, paths: StackPaths) -> None:
        keys = [*(paths.cluster / "pki").glob("*.key"), *paths.cluster.glob("*.kubeconfig")]
        assert len(keys) > 5
        assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}

    def test_stop_leaves_no_process_and_start_finds_the_data(self, paths: StackPaths, kube: Kube) -> None:
        kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept-too", "namespace": "default"}})
        pids = [process.pid for process in processes.listing(paths)]
        ControlPlane(paths).stop()
        assert processes.listing(paths) == []
        assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
        ControlPlane(paths).start(Features(NEW))
        assert kube.get("v1", "ConfigMap", "kept-too", "default")
