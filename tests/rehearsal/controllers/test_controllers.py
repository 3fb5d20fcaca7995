"""Controllers on this machine: their ports and certificates, the API server's way to them, what signs for them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.kube import Kube, Manifest, Manifests
from llm_d_gke.kube.informer import Informer
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.controllers.aggregated_apis import AggregatedApis
from llm_d_gke.rehearsal.controllers.cert_manager import KINDS, CertManager, sign
from llm_d_gke.rehearsal.controllers.sail_operator import SailOperator
from llm_d_gke.rehearsal.load_balancer.konnectivity import resolve
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, program, target_of
from llm_d_gke.rehearsal.node_agent.launch import Launch, ProgramLauncher
from llm_d_gke.rehearsal.node_agent.pod_worker import Forward

SERVING = "/tmp/k8s-webhook-server/serving-certs"


def allocate(requested: int, _: int) -> int:
    return requested + 20000


def launched(which: Program, arguments: list[str], environment: dict[str, str], mounts: dict[str, str]) -> Launch:
    return ProgramLauncher(which, lambda _: 0).launch({"args": arguments}, environment, mounts, allocate)


class TestArguments:
    @pytest.mark.parametrize(
        ("image", "expected"),
        [
            ("registry.k8s.io/lws/lws:v0.9.0", Program.GROUPS),
            ("kserve/llmisvc-controller:v0.19.0", Program.SERVICES),
            ("quay.io/jetstack/cert-manager-controller:v1.20.2", Program.NONE),
        ],
    )
    def test_an_image_is_known(self, image: str, expected: Program) -> None:
        assert program(image) is expected

    def test_kserve_listens_on_its_own_ports_and_finds_its_certificate(self, tmp_path: Path) -> None:
        certificates = tmp_path / "volumes" / "cert"
        certificates.mkdir(parents=True)
        arguments = ["--metrics-addr=127.0.0.1:8443", "--leader-elect"]
        started = launched(Program.SERVICES, arguments, {"HOME": str(tmp_path)}, {SERVING: str(certificates)})
        assert set(started.arguments) == {
            "--metrics-addr=:28443",
            "--health-probe-addr=:28081",
            "--webhook-port=29443",
        }
        assert started.ports == {8443: 28443, 8081: 28081, 9443: 29443}
        # controller-runtime looks below the system's folder for temporary files.
        folder = Path(started.environment["TMPDIR"]) / "k8s-webhook-server" / "serving-certs"
        assert folder.resolve() == certificates

    def test_lws_is_told_in_its_configuration(self, tmp_path: Path) -> None:
        config = tmp_path / "given.yaml"
        config.write_text("internalCertManagement: {enable: true}\nleaderElection: {leaderElect: true}\n")
        arguments = [f"--config={config}", "--zap-log-level=2"]
        started = launched(Program.GROUPS, arguments, {"HOME": str(tmp_path)}, {SERVING: "/certs"})
        [file] = [word.partition("=")[2] for word in started.arguments if word.startswith("--config=")]
        written = read_yaml(Path(file))
        assert written["webhook"] == {"port": 29443, "certDir": "/certs"}
        assert written["leaderElection"] == {"leaderElect": False}
        assert written["internalCertManagement"] == {"enable": True}
        assert started.ports[9443] == 29443


def service(**spec: Any) -> Manifest:
    return {"metadata": {"name": "webhook", "namespace": "lws-system"}, "spec": spec}


def pod(name: str, *, ready: bool, address: str) -> Manifest:
    container = {"name": "manager", "ports": [{"name": "webhook-server", "containerPort": 9443}]}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {"name": name, "namespace": "lws-system", "labels": {"app": "lws"}},
        "spec": {"containers": [container]},
        "status": {"podIP": address, "conditions": conditions},
    }


class TestTunnel:
    SERVICE = service(
        clusterIP="10.96.0.9", selector={"app": "lws"}, ports=[{"port": 443, "targetPort": "webhook-server"}]
    )
    FORWARDS = [Forward("127.64.1.1", 9443, 21001), Forward("127.64.1.2", 9443, 21002)]

    def test_a_service_leads_to_the_process_of_a_ready_pod(self) -> None:
        pods = [pod("a", ready=False, address="127.64.1.1"), pod("b", ready=True, address="127.64.1.2")]
        assert resolve([self.SERVICE], pods, self.FORWARDS, "10.96.0.9", 443) == 21002

    @pytest.mark.parametrize(("address", "port"), [("10.96.0.8", 443), ("10.96.0.9", 80)])
    def test_an_unknown_address_leads_nowhere(self, address: str, port: int) -> None:
        pods = [pod("b", ready=True, address="127.64.1.2")]
        assert resolve([self.SERVICE], pods, self.FORWARDS, address, port) is None

    def test_nor_does_a_service_without_ready_pods(self) -> None:
        pods = [pod("a", ready=False, address="127.64.1.1")]
        assert resolve([self.SERVICE], pods, self.FORWARDS, "10.96.0.9", 443) is None

    def test_pods_of_other_namespaces_do_not_count(self) -> None:
        other = pod("b", ready=True, address="127.64.1.2")
        other["metadata"]["namespace"] = "default"
        assert resolve([self.SERVICE], [other], self.FORWARDS, "10.96.0.9", 443) is None

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("webhook.lws-system.svc.cluster.local", 21002),
            ("webhook.lws-system.svc", 21002),
            ("webhook.default.svc", None),
            ("webhook.lws-system.example.com", None),
            ("webhook", None),
        ],
    )
    def test_a_pod_reaches_a_service_by_its_name_in_the_clusters_dns(self, host: str, expected: int | None) -> None:
        pods = [pod("b", ready=True, address="127.64.1.2")]
        assert resolve([self.SERVICE], pods, self.FORWARDS, host, 443) == expected


def test_a_certificate_is_signed_by_the_clusters_authority(tmp_path: Path) -> None:
    pki = Certificates(tmp_path)
    pki.create(["admin"], ["127.0.0.1"])
    _, chain = sign(tmp_path, ["webhook.kserve.svc", "10.0.0.1"], "webhook.kserve.svc")
    certificate = x509.load_pem_x509_certificate(chain)
    authority = x509.load_pem_x509_certificate(pki.ca.read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["webhook.kserve.svc"]
    assert [str(value) for value in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]


def test_a_client_that_a_cluster_lacks_gets_a_certificate_of_its_authority(tmp_path: Path) -> None:
    """The cluster of an earlier version stays, and the next `up` starts an API server that needs another client."""
    pki = Certificates(tmp_path)
    pki.create(["admin"], ["127.0.0.1"])
    before = pki.client("admin").read_bytes()
    pki.create(["admin", "front-proxy-client"], ["127.0.0.1"])
    added = x509.load_pem_x509_certificate(pki.client("front-proxy-client").read_bytes())
    added.verify_directly_issued_by(x509.load_pem_x509_certificate(pki.ca.read_bytes()))
    assert pki.client("admin").read_bytes() == before


def test_other_names_make_another_certificate(tmp_path: Path) -> None:
    """Else a Gateway of a new host name would show the old one."""
    Certificates(tmp_path).create(["admin"], ["127.0.0.1"])
    kube = mock.Mock(spec=Kube)
    kube.managed_by.return_value = kube
    informers: dict[str, Any] = {kind: mock.Mock(spec=Informer) for _, kind in KINDS}
    for informer in informers.values():
        informer.all.return_value = []
    kube.list.return_value, kube.find.return_value = [], None
    signed: Manifests = []
    kube.apply.side_effect = lambda manifest, **_: signed.append(manifest)
    signer = CertManager(tmp_path, kube, informers)
    for names in (["a.example.com"], ["a.example.com"], ["b.example.com"]):
        spec = {"secretName": "front", "dnsNames": names}
        certificate = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "spec": spec}
        informers["Certificate"].all.return_value = [
            {**certificate, "metadata": {"name": "front", "namespace": "llm", "uid": "1"}}
        ]
        signer.reconcile()
        kube.find.return_value = signed[-1]
    names_seen = []
    for secret in signed:
        chain = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
        alternatives = chain.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names_seen.append(alternatives.get_values_for_type(x509.DNSName))
    assert names_seen == [["a.example.com"], ["b.example.com"]]


class TestSail:
    """The stand-in of Istio's operator."""

    def answers(self, *, secret: bool, status: Manifest | None = None, names: tuple[str, ...] = ("pull",)) -> Manifests:
        """Statuses that one round writes about an Istio."""
        kube, informer = mock.create_autospec(Kube, instance=True), mock.create_autospec(Informer, instance=True)
        kube.managed_by.return_value = kube
        kube.find.return_value = {"kind": "Secret"} if secret else None
        spec = {"namespace": "istio-system", "values": {"global": {"imagePullSecrets": list(names)}}}
        istio = {"metadata": {"name": "default", "generation": 2}, "spec": spec}
        informer.all.return_value = [istio | ({"status": status} if status else {})]
        SailOperator(kube, informer).reconcile()
        return [call.args[3] for call in kube.patch_status.call_args_list]

    def ready(self, status: Manifest) -> Manifest:
        [condition] = [condition for condition in status["conditions"] if condition["type"] == "Ready"]
        return dict(condition)

    def test_an_istio_is_ready(self) -> None:
        [status] = self.answers(secret=True)
        assert (self.ready(status)["status"], status["observedGeneration"]) == ("True", 2)

    def test_without_its_pull_secret_it_is_not(self) -> None:
        [status] = self.answers(secret=False)
        assert self.ready(status)["status"] == "False"
        assert "no Secret pull" in self.ready(status)["message"]
        assert self.answers(secret=False, status=status) == []
        [later] = self.answers(secret=True, status=status)
        assert self.ready(later)["status"] == "True"

    def test_public_images_need_none(self) -> None:
        [status] = self.answers(secret=False, names=())
        assert self.ready(status)["status"] == "True"

    def test_what_was_answered_is_not_answered_again(self) -> None:
        [status] = self.answers(secret=True)
        assert self.answers(secret=True, status=status) == []
        assert len(self.answers(secret=True, status=status | {"observedGeneration": 1})) == 1


class TestAggregatedApis:
    """The API server calls KEDA's metrics server only where a slice of its Service has an address."""

    def slices(self, *, ready: bool, service: bool = True) -> list[Manifest]:
        kube = mock.create_autospec(Kube, instance=True)
        apis, services, pods = (mock.create_autospec(Informer, instance=True) for _ in range(3))
        reference = {"namespace": "lws-system", "name": "webhook"}
        apis.all.return_value = [
            {"metadata": {"name": "v1beta1.external.metrics.k8s.io"}, "spec": {"service": reference}},
            {"metadata": {"name": "v1.apps"}, "spec": {}},
        ]
        owner = {**TestTunnel.SERVICE, "metadata": {**TestTunnel.SERVICE["metadata"], "uid": "1"}}
        services.get.return_value = owner if service else None
        pods.all.return_value = [pod("a", ready=ready, address="127.64.1.1")]
        aggregated = AggregatedApis(kube, apis, services, pods)
        aggregated.reconcile()
        aggregated.reconcile()
        return [call.args[0] for call in kube.apply.call_args_list]

    @pytest.mark.parametrize("ready", [True, False])
    def test_its_slice_is_ready_with_its_pod_and_written_once(self, ready: bool) -> None:
        [written] = self.slices(ready=ready)
        assert written["metadata"]["labels"]["kubernetes.io/service-name"] == "webhook"
        assert written["endpoints"][0]["conditions"] == {"ready": ready}
        assert written["metadata"]["ownerReferences"][0]["uid"] == "1"

    def test_without_its_service_nothing_is_written(self) -> None:
        assert self.slices(ready=True, service=False) == []


class TestKeda:
    """KEDA's programs get their chart's arguments, with ports and kubeconfigs of this machine."""

    @pytest.mark.parametrize(
        ("image", "expected"),
        [
            ("ghcr.io/kedacore/keda:2.20.2", Program.AUTOSCALER),
            ("ghcr.io/kedacore/keda-metrics-apiserver:2.20.2", Program.EXTERNAL_METRICS),
            ("ghcr.io/kedacore/keda-admission-webhooks:2.20.2", Program.AUTOSCALER_WEBHOOKS),
        ],
    )
    def test_an_image_runs_the_pinned_program_of_its_version(self, image: str, expected: Program) -> None:
        assert program(image) is expected
        target = target_of(expected, image)
        assert target is not None
        assert target.version == "v2.20.2"

    def test_the_metrics_server_gets_the_kubeconfig_by_flags(self) -> None:
        arguments = ["--port=8080", "--secure-port=6443", "--cert-dir=/certs"]
        started = launched(Program.EXTERNAL_METRICS, arguments, {"KUBECONFIG": "/pod/kubeconfig"}, {})
        assert started.ports == {8080: 28080, 6443: 26443}
        assert "--secure-port=26443" in started.arguments
        assert "--authentication-kubeconfig=/pod/kubeconfig" in started.arguments

    def test_the_operator_elects_no_leader(self) -> None:
        started = launched(Program.AUTOSCALER, ["--leader-elect", "--cert-dir=/certs"], {}, {})
        assert "--leader-elect" not in started.arguments
        assert started.ports[9666] == 29666
