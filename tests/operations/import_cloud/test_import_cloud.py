"""`import`: ids as the gcp provider documents them, parents and provider, and what differs from the cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi_gcp
import pytest
import yaml

from llm_d_gke.google_types import account_address, google_types
from llm_d_gke.operations.import_cloud.command import write_import
from llm_d_gke.operations.import_cloud.described import DescriptionError, differences, missing_pools, read_description
from llm_d_gke.operations.import_cloud.spec import UnknownIdError, import_id, import_spec
from llm_d_gke.rehearsal.providers.gcp.table import KINDS
from tests.stacks import PROJECT, graph_of

FORMATS = {token: kind.import_format for token, kind in google_types().items() if kind.import_format}
# The placeholders of the documentation by those of FORMATS, where they have other names.
_WORDS = {"project_id": "project", "cluster_id": "cluster", "pool_id": "name", "membership_id": "membershipId"}
# Their documentation has no format with placeholders, only examples:
# `project role member` and `b/bucket role member`, separated by spaces; an account by its e-mail address.
_BY_EXAMPLE = (
    "projects/iAMMember",
    "storage/bucketIAMMember",
    "serviceaccount/account",
    "secretmanager/secretIamMember",
)

LIVE: dict[str, Any] = {
    "name": "llm-d-gpu",
    "location": "us-central1-a",
    "network": "llm-d-gpu-network",
    "subnetwork": "llm-d-gpu-nodes",
    "ipAllocationPolicy": {"clusterSecondaryRangeName": "pods", "servicesSecondaryRangeName": "services"},
    "networkConfig": {"datapathProvider": "ADVANCED_DATAPATH", "gatewayApiConfig": {"channel": "CHANNEL_STANDARD"}},
    "workloadIdentityConfig": {"workloadPool": f"{PROJECT}.svc.id.goog"},
    "shieldedNodes": {"enabled": True},
    "releaseChannel": {"channel": "REGULAR"},
    "privateClusterConfig": {"enablePrivateNodes": True},
    "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"allowExternalTraffic": True}, "ipEndpointsConfig": {}},
    "resourceLabels": {"llm-d-stack": "gpu"},
    "nodePools": [
        {
            "name": "gpu-cpu",
            "locations": ["us-central1-a"],
            "autoscaling": {
                "enabled": True,
                "totalMinNodeCount": 1,
                "totalMaxNodeCount": 3,
                "locationPolicy": "BALANCED",
            },
            "management": {"autoUpgrade": True, "autoRepair": True},
            "config": {
                "machineType": "e2-standard-4",
                "diskSizeGb": 100,
                "diskType": "pd-balanced",
                "imageType": "COS_CONTAINERD",
                "labels": {"llm-d.ai/stack": "gpu"},
                "oauthScopes": ["https://www.googleapis.com/auth/cloud-platform"],
                "workloadMetadataConfig": {"mode": "GKE_METADATA"},
                "shieldedInstanceConfig": {"enableSecureBoot": True, "enableIntegrityMonitoring": True},
            },
        }
    ],
}


def live(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(LIVE)), **changes}


class TestIds:
    @pytest.mark.parametrize("token", sorted(FORMATS))
    def test_the_format_is_one_that_the_provider_documents(self, token: str) -> None:
        path, _, _ = token.removeprefix("gcp:").rpartition(":")
        if path in _BY_EXAMPLE:
            pytest.skip("its documentation has examples only")
        package, _, module = path.partition("/")
        snake = "".join(f"_{char.lower()}" if char.isupper() else char for char in module)
        # Read as text: importing a module of the SDK by itself keeps the SDK from loading the others when needed.
        source = (Path(pulumi_gcp.__file__).parent / package / f"{snake}.py").read_text(encoding="utf-8")
        documented = [
            line.strip().removeprefix("* ").strip("`").replace("{{", "{").replace("}}", "}")
            for line in source.partition("## Import")[2].partition("```")[0].splitlines()
            if line.strip().startswith("* ")
        ]
        assert documented
        assert _named(FORMATS[token]) in {_named(form) for form in documented}

    @pytest.mark.parametrize("token", sorted(set(FORMATS) & set(KINDS)))
    def test_every_part_is_an_input_of_the_resource(self, token: str) -> None:
        resources = [resource for resource in graph_of("gpu").by_type(token) if not resource.read]
        for resource in resources:
            assert "{" not in import_id(resource, graph_of("gpu"), PROJECT)

    def test_an_account_is_known_by_its_address(self) -> None:
        graph = graph_of("gpu")
        account = graph.one("gcp:serviceaccount/account:Account")
        address = f"llm-d-gpu-nodes@{PROJECT}.iam.gserviceaccount.com"
        assert import_id(account, graph, PROJECT) == f"projects/{PROJECT}/serviceAccounts/{address}"
        member = graph.one("gcp:projects/iAMMember:IAMMember", "artifactregistry-reader")
        assert import_id(member, graph, PROJECT) == f"{PROJECT} roles/artifactregistry.reader serviceAccount:{address}"

    def test_a_project_of_a_domain_has_the_domain_behind(self) -> None:
        assert account_address("nodes", "example.com:chat") == "nodes@chat.example.com.iam.gserviceaccount.com"

    def test_an_id_that_google_chooses_is_not_guessed(self) -> None:
        graph = graph_of("gpu", {"monitoring.dashboard": True})
        with pytest.raises(UnknownIdError, match="Google chooses"):
            import_id(graph.one("gcp:monitoring/dashboard:Dashboard"), graph, PROJECT)


def _named(form: str) -> str:
    for old, new in _WORDS.items():
        form = form.replace(f"{{{old}}}", f"{{{new}}}")
    # The last part is the resource's own name, whatever the documentation calls it.
    head, _, last = form.rpartition("/")
    return f"{head}/{{name}}" if last in ("{cluster}", "{name}") else form


class TestFile:
    def test_every_resource_has_a_parent_and_the_stack_s_provider(self) -> None:
        spec = import_spec(graph_of("gpu"), PROJECT)
        document = json.loads(spec.text())
        names = {*document["nameTable"], *(entry["name"] for entry in document["resources"])}
        for number, entry in enumerate(document["resources"]):
            names_before = {*document["nameTable"], *(before["name"] for before in document["resources"][:number])}
            assert entry["parent"] in names_before, entry
            assert entry.get("component") or entry["provider"] in document["nameTable"]
        assert len(names) == len(document["nameTable"]) + len(document["resources"])

    def test_it_holds_cluster_pools_network_and_account(self) -> None:
        imported = {item.resource.type.rpartition(":")[2] for item in import_spec(graph_of("gpu"), PROJECT).imported}
        assert imported == {"Account", "Address", "Cluster", "Network", "NodePool", "Router", "RouterNat", "Subnetwork"}

    def test_a_pool_that_the_cluster_lacks_is_created(self) -> None:
        missing = missing_pools(graph_of("gpu"), live())
        assert missing == ("gpu-acc-tesla-t4",)
        spec = import_spec(graph_of("gpu"), PROJECT, missing)
        assert [item.resource.name for item in spec.imported if item.resource.type.endswith("NodePool")] == ["cpu"]
        assert any(resource.name == "accelerator-0" for resource, _ in spec.created)

    def test_an_existing_cluster_and_network_stay_outside(self) -> None:
        changes = {
            "cluster.existing": {"name": "shared", "version": "1.35.2-gke.1842000"},
            "network.existing": {
                "network": "vpc",
                "subnetwork": "nodes",
                "podRange": "pods",
                "serviceRange": "services",
            },
        }
        spec = import_spec(graph_of("gpu", changes), PROJECT)
        imported = {item.resource.type.rpartition(":")[2] for item in spec.imported}
        assert "Cluster" not in imported
        assert "NodePool" in imported

    def test_what_is_above_the_provider_is_created_first(self) -> None:
        spec = import_spec(graph_of("gpu"), PROJECT)
        assert [urn.rpartition("::")[2] for urn in spec.targets] == ["gpu", "gcp"]


class TestDifferences:
    def test_a_cluster_like_the_planned_one_has_none(self) -> None:
        assert differences(graph_of("gpu"), live()) == ()

    @pytest.mark.parametrize(
        ("changes", "field", "replaces"),
        [
            ({"releaseChannel": {"channel": "STABLE"}}, "releaseChannel.channel", False),
            (
                {"networkConfig": {**LIVE["networkConfig"], "datapathProvider": "LEGACY_DATAPATH"}},
                "datapathProvider",
                True,
            ),
            ({"network": "projects/other/global/networks/default"}, "network", True),
            ({"name": "prod"}, "name", True),
            (
                {"masterAuth": {"clientCertificateConfig": {"issueClientCertificate": True}}},
                "masterAuth.clientCertificateConfig.issueClientCertificate",
                True,
            ),
            ({"resourceLabels": {}}, "resourceLabels", False),
        ],
    )
    def test_a_field_of_the_cluster(self, changes: dict[str, Any], field: str, replaces: bool) -> None:
        [result] = differences(graph_of("gpu"), live(**changes))
        assert (result.field, result.replaces) == (field, replaces)

    def test_a_field_of_a_pool(self) -> None:
        changed = live()
        changed["nodePools"][0]["config"]["diskSizeGb"] = 200
        [result] = differences(graph_of("gpu"), changed)
        assert str(result).startswith("NodePool gpu-cpu nodeConfig.diskSizeGb: is 200, planned 100")

    def test_accelerators_are_compared_by_type_and_count(self) -> None:
        changed = live()
        pool = json.loads(json.dumps(changed["nodePools"][0]))
        pool["name"] = "gpu-acc-tesla-t4"
        pool["config"]["accelerators"] = [{"acceleratorType": "nvidia-l4", "acceleratorCount": "1"}]
        changed["nodePools"].append(pool)
        result = {difference.field: difference for difference in differences(graph_of("gpu"), changed)}
        assert result["nodeConfig.guestAccelerators"].now == "1 x nvidia-l4"
        assert result["nodeConfig.guestAccelerators"].replaces

    def test_a_file_of_something_else_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "pods.yaml"
        file.write_text("kind: Pod\n", encoding="utf-8")
        with pytest.raises(DescriptionError, match="clusters describe"):
            read_description(file)


class TestCommand:
    def test_it_refuses_what_up_would_replace(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        described = tmp_path / "cluster.yaml"
        described.write_text(yaml.safe_dump(live(name="prod")), encoding="utf-8")
        assert write_import("gpu", {"project": PROJECT}, described, tmp_path / "import.json") == 2
        printed = capsys.readouterr().out
        assert "REPLACES" in printed
        assert json.loads((tmp_path / "import.json").read_text(encoding="utf-8"))["resources"]

    def test_it_prints_commands_in_their_order(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert write_import("gpu", {"project": PROJECT}, None, tmp_path / "import.json") == 0
        printed = capsys.readouterr().out
        order = ("pulumi up", "pulumi import", "pulumi preview", "clusters describe")
        result = [printed.index(words) for words in order]
        assert result == sorted(result)
