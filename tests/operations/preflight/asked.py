"""`make preflight`: the real client libraries ask a server on this machine, which answers as Google Cloud's REST APIs do.

`project.json` holds a project in which everything is in order, in the shapes of the APIs' reference; what a test
changes in it is what is wrong.
"""

# ruff: noqa: E501 - a case a line

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials, Credentials
from rich.console import Console

from llm_d_gke.catalog import load
from llm_d_gke.catalog.quotas import load_quotas
from llm_d_gke.cli.exits import DONE, FAILED, NO_CREDENTIALS, REFUSED
from llm_d_gke.operations.preflight.check import findings_of
from llm_d_gke.operations.preflight.command import ask_and_judge, needs_in
from llm_d_gke.operations.preflight.google import Facts, ask, clients
from llm_d_gke.operations.preflight.needs import Needs, needs_of
from llm_d_gke.planning.findings import Finding, Severity
from tests.command_line import llmd
from tests.stacks import OPEN, plan_of

ANSWERS = Path(__file__).with_name("project.json")
ROOT = "/compute/v1/projects/my-project"
REGION = f"GET {ROOT}/regions/us-central1"
EXISTING = {"network": "shared", "subnetwork": "nodes", "podRange": "p", "serviceRange": "q"}
ECHO = "echo"
EVERYTHING: dict[str, Any] = {"project": "my-project"}


class Project:
    """A project's answers by `METHOD path`, and the received requests. A path without an answer does not exist."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = json.loads(ANSWERS.read_text(encoding="utf-8"))
        self.requested: list[str] = []
        project = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET")

            def do_POST(self) -> None:
                self._answer("POST")

            def _answer(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                key = f"{method} {self.path.partition('?')[0]}"
                project.requested.append(key)
                answer = project.answers.get(key)
                status = 404 if answer is None else 200
                if answer == ECHO:
                    answer = json.loads(body)
                elif isinstance(answer, int):
                    status, answer = answer, {"error": {"code": answer, "message": "has not been used in project"}}
                elif answer is None:
                    answer = {"error": {"code": 404, "message": "was not found", "status": "NOT_FOUND"}}
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def quota(self, metric: str, limit: float, usage: float = 0.0, where: str = REGION) -> None:
        for quota in self.answers[where]["quotas"]:
            if quota["metric"] == metric:
                quota |= {"limit": limit, "usage": usage}

    def facts(self, needs: Needs) -> Facts:
        return ask(needs, clients(without_credentials(), self.host))


@pytest.fixture
def project() -> Iterator[Project]:
    project = Project()
    yield project
    project.server.shutdown()


def without_credentials() -> Credentials:
    return AnonymousCredentials()  # type: ignore[no-untyped-call]


def needs(stack: str = "gpu", changes: dict[str, Any] | None = None) -> Needs:
    return needs_of(plan_of(stack, EVERYTHING | (changes or {})), load())


def errors(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def test_every_accelerator_names_its_quotas() -> None:
    quotas = load_quotas()
    assert set(quotas.accelerators) == set(load().accelerators)
    assert all(
        source in quotas.sources for accelerator in quotas.accelerators.values() for source in accelerator.sources
    )


def test_a_project_in_order_has_nothing_in_the_way(project: Project) -> None:
    requested = needs()
    facts = project.facts(requested)
    assert facts.unanswered == ()
    assert facts.permissions == frozenset(requested.permissions)
    assert facts.services["networkservices.googleapis.com"] is False
    assert findings_of(requested, facts) == []


Change = Callable[[Project], None]


@pytest.mark.parametrize(
    ("option", "stated", "expected"),
    [
        (None, {}, "of-credentials"),
        (None, {"llm-d:project": "of-stack-file"}, "of-stack-file"),
        ("of-option", {"llm-d:project": "of-stack-file"}, "of-option"),
    ],
)
def test_the_project_of_the_credentials_is_asked_where_nothing_names_one(
    option: str | None, stated: dict[str, str], expected: str
) -> None:
    assert needs_in("gpu", option, "of-credentials", changes=stated).project == expected


def _without_permission(project: Project) -> None:
    kept_permissions = [name for name in needs().permissions if not name.startswith("container.")]
    project.answers["POST /v3/projects/my-project:testIamPermissions"] = {"permissions": kept_permissions}


def _name_exists(path: str, name: str) -> Change:
    def change(project: Project) -> None:
        project.answers[f"GET {path}"] = {"name": name}

    return change


def _h100(limit: int) -> Change:
    name = "projects/my-project/locations/global/services/compute.googleapis.com/quotaInfos/"
    quota = "GPUS-PER-GPU-FAMILY-per-project-region"

    def change(project: Project) -> None:
        project.answers[f"GET /v1/{name}{quota}"] = {
            "name": f"{name}{quota}",
            "quotaId": quota,
            "metric": "compute.googleapis.com/gpus_per_gpu_family",
            "dimensions": ["region", "gpu_family"],
            "dimensionsInfos": [
                {
                    "dimensions": {"region": "us-central1", "gpu_family": family},
                    "details": {"value": str(value)},
                    "applicableLocations": ["us-central1"],
                }
                for family, value in (("NVIDIA_B200", 64), ("NVIDIA_H100", limit))
            ],
        }
        project.quota("GPUS_ALL_REGIONS", 64, where=f"GET {ROOT}")
        project.quota("CPUS_ALL_REGIONS", 1000, where=f"GET {ROOT}")
        project.answers[f"GET {ROOT}/zones/us-central1-a/machineTypes/a3-highgpu-8g"] = {"name": "a3-highgpu-8g"}

    return change


H100 = {
    "accelerator": {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"max": 2}},
    "models[0]": {"id": "Qwen/Qwen3-32B", "maxModelLen": 8192},
}

WRONG: list[tuple[str, dict[str, Any], Change, str, str, str, Severity]] = [
    ("regional quota", {}, lambda p: p.quota("NVIDIA_T4_GPUS", 0), "accelerator.nodes.max", "NVIDIA-T4-GPUS-per-project-region allows 0 in us-central1; 1 are needed", "ask for 3", Severity.ERROR),
    ("quota in use", {}, lambda p: p.quota("NVIDIA_T4_GPUS", 4, 4), "accelerator.nodes.max", "allows 4 in us-central1, 4 of them in use", "ask for 7", Severity.ERROR),
    ("quota for now only", {}, lambda p: p.quota("NVIDIA_T4_GPUS", 2), "accelerator.nodes.max", "the replicas take 1, but the pools may grow further", "lower nodes.max", Severity.WARNING),
    ("global quota", {}, lambda p: p.quota("GPUS_ALL_REGIONS", 0, where=f"GET {ROOT}"), "accelerator.nodes.max", "GPUS-ALL-REGIONS-per-project allows 0 in the whole project", "ask for 3", Severity.ERROR),
    ("spot quota", {"accelerator.provisioning": "spot"}, lambda p: p.quota("PREEMPTIBLE_NVIDIA_T4_GPUS", 0), "accelerator.nodes.max", "PREEMPTIBLE-NVIDIA-T4-GPUS-per-project-region allows 0", "ask for 3", Severity.ERROR),
    ("quota of a family", H100, _h100(0), "accelerator.nodes.max", "(gpu_family: NVIDIA_H100) allows 0 in us-central1, use unknown", "ask for 16", Severity.ERROR),
    ("permissions", {}, _without_permission, "project", "this account lacks permissions: container.clusterRoles.bind, container.clusterRoles.create", "roles/container.admin", Severity.ERROR),
    ("machine type", {}, lambda p: p.answers.pop(f"GET {ROOT}/zones/us-central1-a/machineTypes/n1-standard-4"), "accelerator.type", "no n1-standard-4 in us-central1-a", "use another zone", Severity.ERROR),
    ("accelerator type", {}, lambda p: p.answers.pop(f"GET {ROOT}/zones/us-central1-a/acceleratorTypes/nvidia-tesla-t4"), "accelerator.type", "no nvidia-tesla-t4 in us-central1-a", "use another zone", Severity.ERROR),
    ("name of the network", {}, _name_exists(f"{ROOT}/global/networks/llm-d-gpu-network", "llm-d-gpu-network"), "network", "a VPC of this name exists already", "if this stack created it", Severity.WARNING),
    ("name of the cluster", {}, _name_exists("/v1/projects/my-project/locations/us-central1-a/clusters/llm-d-gpu", "llm-d-gpu"), "cluster", "a cluster of this name exists already", "if this stack created it", Severity.WARNING),
    ("brought address", {"gateway.existingAddress": "mine"}, lambda _: None, "gateway.existingAddress", "there is no such address in us-central1", "correct the name", Severity.ERROR),
    ("an API that says nothing", {}, lambda p: p.answers.update({REGION: 403}), "project", "Google Cloud gave no answer: 403", "enable the API", Severity.WARNING),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "change", "path", "rule", "fix", "severity"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_is_in_the_way_is_found(
    project: Project, changes: dict[str, Any], change: Change, path: str, rule: str, fix: str, severity: Severity
) -> None:
    change(project)
    requested = needs(changes=changes)
    findings = findings_of(requested, project.facts(requested))
    [finding] = findings
    assert (finding.path, finding.severity) == (f"llm-d:{path}", severity)
    assert rule in finding.rule
    assert fix in finding.fix


class TestBroughtNetwork:
    CHANGES: dict[str, Any] = {"network": {"existing": EXISTING}}

    def listed(self, project: Project, *subnets: dict[str, Any]) -> None:
        for path in ("global/networks/shared", "regions/us-central1/subnetworks/nodes"):
            project.answers[f"GET {ROOT}/{path}"] = {"name": path.rpartition("/")[2]}
        network = f"https://www.googleapis.com{ROOT}/global/networks/shared"
        items = [{"network": network, **subnet} for subnet in subnets]
        project.answers[f"GET {ROOT}/regions/us-central1/subnetworks"] = {"items": items}

    def test_one_without_proxies_takes_the_stacks(self, project: Project) -> None:
        self.listed(project, {"name": "nodes", "ipCidrRange": "10.0.0.0/20", "purpose": "PRIVATE"})
        requested = needs(changes=self.CHANGES)
        assert findings_of(requested, project.facts(requested)) == []

    def test_a_second_active_proxy_only_subnet_is_refused(self, project: Project) -> None:
        proxies = {"name": "proxies", "ipCidrRange": "10.9.0.0/23", "purpose": "REGIONAL_MANAGED_PROXY"}
        self.listed(project, {**proxies, "role": "ACTIVE"})
        requested = needs(changes=self.CHANGES)
        [finding] = findings_of(requested, project.facts(requested))
        assert finding.path == "llm-d:network.existing.proxySubnetwork"
        assert finding.fix == "use proxies"

    def test_a_range_of_another_stack_is_refused(self, project: Project) -> None:
        pods = [{"rangeName": "pods", "ipCidrRange": "192.168.0.0/16"}]
        self.listed(project, {"name": "nodes", "ipCidrRange": "10.0.0.0/20", "secondaryIpRanges": pods})
        requested = needs(changes=self.CHANGES)
        [finding] = findings_of(requested, project.facts(requested))
        assert (finding.path, finding.value) == ("llm-d:network.proxyCidr", "192.168.0.0/23")
        assert "overlaps subnet nodes of shared" in finding.rule


class TestExistingCluster:
    """A Shared VPC's network is asked of its host project, and a cluster for what the stack needs of it."""

    CHANGES: dict[str, Any] = {
        "cluster": {"existing": {"name": "shared", "version": "1.35.1-gke.1000000"}},
        "network": {
            "existing": {**EXISTING, "project": "host-project", "proxySubnetwork": "proxies"},
            "proxyCidr": "192.168.0.0/23",
        },
        "models[0].source": {"kind": "bucket", "bucket": "my-models", "path": "gemma"},
        "acknowledge": [OPEN, {"id": "LLMD-SHARED-VPC-FIREWALL", "reason": "the rules are there"}],
    }
    FULL: dict[str, Any] = {
        "name": "shared",
        "workloadIdentityConfig": {"workloadPool": "my-project.svc.id.goog"},
        "networkConfig": {"gatewayApiConfig": {"channel": "CHANNEL_STANDARD"}, "datapathProvider": "ADVANCED_DATAPATH"},
        "addonsConfig": {"gcsFuseCsiDriverConfig": {"enabled": True}},
        "monitoringConfig": {"managedPrometheusConfig": {"enabled": True}},
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}},
    }

    def lacking(
        self, project: Project, cluster: dict[str, Any], changes: dict[str, Any] | None = None
    ) -> list[Finding]:
        host = ROOT.replace("my-project", "host-project")
        for path in (
            "global/networks/shared",
            "regions/us-central1/subnetworks/nodes",
            "regions/us-central1/subnetworks/proxies",
        ):
            project.answers[f"GET {host}/{path}"] = {"name": path.rpartition("/")[2]}
        project.answers["GET /v1/projects/my-project/locations/us-central1-a/clusters/shared"] = cluster
        requested = needs(changes={**self.CHANGES, **(changes or {})})
        return findings_of(requested, project.facts(requested))

    def test_a_cluster_that_is_reached_at_its_address_needs_no_dns_endpoint(self, project: Project) -> None:
        changes = {"cluster.controlPlane": {"access": "authorized-networks"}}
        assert self.lacking(project, self.FULL | {"controlPlaneEndpointsConfig": {}}, changes) == []

    def test_nothing_is_missing(self, project: Project) -> None:
        assert self.lacking(project, self.FULL) == []

    @pytest.mark.parametrize(
        ("change", "rule", "fix"),
        [
            ({"addonsConfig": {}}, "no bucket is mounted", "--update-addons=GcsFuseCsiDriver=ENABLED"),
            ({"workloadIdentityConfig": {}}, "Workload Identity", "--workload-pool=my-project.svc.id.goog"),
            ({"controlPlaneEndpointsConfig": {}}, "its DNS endpoint", "--enable-dns-access"),
            ({"monitoringConfig": {}}, "collects metrics", "--enable-managed-prometheus"),
            ({"autopilot": {"enabled": True}}, "an Autopilot cluster", "cluster.mode: autopilot"),
            ({"networkConfig": {"datapathProvider": "ADVANCED_DATAPATH"}}, "no GatewayClass", "--gateway-api=standard"),
        ],
    )
    def test_what_is_off_is_named(self, project: Project, change: dict[str, Any], rule: str, fix: str) -> None:
        [finding] = self.lacking(project, self.FULL | change)
        assert (finding.id, finding.path) == ("LLMD-PREFLIGHT-CLUSTER", "llm-d:cluster.existing.name")
        assert rule in finding.rule
        assert fix in finding.fix


def test_flex_start_falls_back_on_the_standard_quota(project: Project) -> None:
    project.quota("PREEMPTIBLE_NVIDIA_T4_GPUS", 0)
    requested = needs(changes={"accelerator.provisioning": "flex-start"})
    assert findings_of(requested, project.facts(requested)) == []
    project.quota("NVIDIA_T4_GPUS", 0)
    assert len(errors(findings_of(requested, project.facts(requested)))) == 1


def test_an_api_that_is_off_and_may_not_be_turned_on_is_an_error(project: Project) -> None:
    kept_permissions = [name for name in needs().permissions if name != "serviceusage.services.enable"]
    project.answers["POST /v3/projects/my-project:testIamPermissions"] = {"permissions": kept_permissions}
    findings = findings_of(needs(), project.facts(needs()))
    assert [f.path for f in findings] == ["llm-d:project", "llm-d:project"]
    assert "gcloud services enable networkservices.googleapis.com" in findings[1].fix


def test_a_tpu_asks_for_chips_and_not_for_gpus() -> None:
    titles = {need.quota.title: need for need in needs("tpu").quotas}
    chips = titles["TPUS-PER-TPU-FAMILY-per-project-region (tpu_family: CT6E)"]
    assert (chips.now, chips.maximum, chips.location) == (4, 8, "europe-west4")
    assert not [title for title in titles if "GPUS-ALL" in title]


class TestCommand:
    def console_of(self, console: io.StringIO) -> Console:
        return Console(file=console, width=120)

    def test_it_ends_with_what_it_found(self, project: Project) -> None:
        console = io.StringIO()
        credentials = without_credentials()
        assert ask_and_judge(needs(), credentials, self.console_of(console), project.host) == DONE
        assert "networkservices.googleapis.com" in console.getvalue()
        project.quota("NVIDIA_T4_GPUS", 0)
        assert ask_and_judge(needs(), credentials, self.console_of(console), project.host) == FAILED
        assert "llm-d:accelerator.nodes.max = 3 T4" in console.getvalue()

    def test_without_credentials_it_lists_what_it_would_ask(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        monkeypatch.setenv("COLUMNS", "80")
        assert llmd("preflight", "tpu", "--project", "somebody-s") == NO_CREDENTIALS
        output = capsys.readouterr().out
        quota = "TPUS-PER-TPU-FAMILY-per-project-region (tpu_family: CT6E)"
        assert f"{quota}\n  europe-west4: now 4, at most 8 TPU v6e (Trillium)\n" in output
        assert max(map(len, output.splitlines())) <= 80
        for words in ("CPUS-ALL-REGIONS-per-project", "somebody-s"):
            assert words in output
        assert "container.clusterRoles.create" in output
        assert "networkservices.googleapis.com" in output

    def test_a_stack_that_is_not_there_is_told(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        assert llmd("preflight", "nobodys") == REFUSED
        output = capsys.readouterr()
        assert "Stacks:" in output.err
        assert output.out == ""
