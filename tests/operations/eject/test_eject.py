"""`eject`: every resource of a stack in a folder that needs neither this project nor Pulumi."""

from __future__ import annotations

import functools
import json
import shlex
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.reading import parse_yaml, read_yaml
from llm_d_gke.operations.eject.command import eject_stack, ejected_files
from llm_d_gke.operations.eject.inputs import NotEjectableError
from llm_d_gke.stackfile import project_stacks
from tests.command_line import llmd
from tests.operations.eject.gcloud_flags import TABLE, flags_of, installed_tree
from tests.stacks import FLEET_CONFIG, FLEET_MEMBER, TOKEN, graph_of, plan_of

# Settings that add resources of Google Cloud, or arguments of them.
CHANGES: dict[str, dict[str, Any]] = {
    "authorized networks": {
        "cluster.controlPlane": {
            "access": "authorized-networks",
            "authorizedNetworks": [{"cidr": "192.0.2.0/24", "name": "office"}],
        }
    },
    "maintenance window": {
        "cluster.maintenanceWindow": {
            "start": "2026-01-03T02:00:00Z",
            "end": "2026-01-03T08:00:00Z",
            "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
        }
    },
    "binary authorization": {"cluster.binaryAuthorization": True},
    "Google group": {"cluster.googleGroup": "gke-security-groups@example.com"},
    "keys": {
        "cluster.encryption": {
            "secretsKey": "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k",
            "diskKey": "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k",
        }
    },
    "flow logs": {"network.flowLogs": True},
    "internal address": {"gateway.exposure": "internal"},
    "bucket": {"models[0].source": {"kind": "bucket", "bucket": "acme-models", "path": "gemma/2b"}},
    "flex-start": {"accelerator.provisioning": "flex-start", "accelerator.nodes": {"min": 0, "max": 1}},
    "workload policy": {
        "location": "us-central1-c",
        "accelerator": {
            "type": "tpu-v7x",
            "machineType": "tpu7x-standard-4t",
            "topology": "2x2x2",
            "nodes": {"min": 0, "max": 2},
        },
        "models[0].id": "google/gemma-4-31B-it",
        "models[0].maxModelLen": 8192,
    },
    "reservation": {"accelerator.provisioning": "on-demand", "accelerator.reservation": "mine"},
    "dashboard and alerts": {"monitoring.dashboard": True, "monitoring.alerts": {"availability": 0.99}},
    "budget": {"budget": {"maxMonthlyUsd": 5000, "billingAccount": "000000-000000-000000"}},
}
CASES = [(stack, None) for stack in project_stacks()] + [("gpu", name) for name in CHANGES]

# The documentation has this flag (how-to/allocate-network-resources-dra), gcloud 528.0.0 does not complete it.
NOT_COMPLETED = {("container node-pools create", "accelerator-network-profile")}
# Of every command.
EVERYWHERE = ("project", "quiet")


@functools.cache
def files_of(stack: str, change: str | None) -> dict[Path, str]:
    changes = CHANGES[change] if change else None
    return ejected_files(graph_of(stack, changes), plan_of(stack, changes))


def commands_of(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.replace("\\\n", "").splitlines() if line.startswith("gcloud ")]


@pytest.mark.parametrize(("stack", "change"), CASES)
class TestFolder:
    def test_every_resource_is_in_it_exactly_once(self, stack: str, change: str | None) -> None:
        files = files_of(stack, change)
        changes = CHANGES[change] if change else None
        managed = [
            resource
            for resource in graph_of(stack, changes)
            if resource.custom and not resource.read and not resource.type.startswith("pulumi:")
        ]
        places = json.loads(files[Path("resources.json")])
        assert sorted(places) == sorted(resource.urn for resource in managed)
        assert all(Path(place) in files for place in places.values())
        script = files[Path("1-google-cloud.sh")]
        cloud = [resource for resource in managed if resource.type.startswith("gcp:")]
        assert Counter(line for line in script.splitlines() if line.startswith("echo ")) == Counter(
            f"echo '{resource.type.rpartition(':')[2]} {resource.name}'" for resource in cloud
        )
        manifests = [path for path in files if path.suffix == ".yaml" and path.name != "kustomization.yaml"]
        listed = [
            path.parent / name
            for path, text in files.items()
            if path.name == "kustomization.yaml"
            for name in parse_yaml(text)["resources"]
        ]
        assert sorted(listed) == sorted(path for path in manifests if path.parts[0] == "kubernetes")

    def test_gcloud_knows_every_flag_and_value(self, stack: str, change: str | None) -> None:
        table = read_yaml(TABLE)
        commands = commands_of(files_of(stack, change)[Path("1-google-cloud.sh")])
        assert commands
        for words in commands:
            command = max((c for c in table if " ".join(words[1:]).startswith(f"{c} ")), key=len)
            for word in words:
                if not word.startswith("--"):
                    continue
                name, _, value = word.removeprefix("--").partition("=")
                if name in EVERYWHERE or (command, name) in NOT_COMPLETED:
                    continue
                kind = table[command].get(name) or table[command].get(name.removeprefix("no-"))
                assert kind is not None, (command, word)
                assert (kind == "bool") is ("=" not in word), (command, word)
                assert not isinstance(kind, list) or value in kind, (command, word)

    def test_no_file_holds_a_secret_or_a_value_that_is_not_known(self, stack: str, change: str | None) -> None:
        for path, text in files_of(stack, change).items():
            assert TOKEN not in text, path
            for part in ("[unknown]", "[secret]", "pulumi.com/"):
                assert part not in text, path


def test_the_table_is_what_the_installed_gcloud_completes() -> None:
    tree = installed_tree()
    if tree is None:
        pytest.skip("gcloud is not installed")
    for command, flags in read_yaml(TABLE).items():
        # A later version may have more, never less.
        assert set(flags) <= set(flags_of(tree, command)), command


class TestOrder:
    def test_what_is_needed_comes_first(self) -> None:
        script = files_of("gpu", None)[Path("1-google-cloud.sh")]
        order = [
            "services enable compute",
            "networks create",
            "subnets create llm-d-gpu-nodes",
            "clusters create",
            "create gpu-cpu",
            "create gpu-acc",
        ]
        positions = [script.index(words) for words in order]
        assert positions == sorted(positions)

    def test_a_step_waits_for_what_up_waits_for(self) -> None:
        files = files_of("gpu", None)
        script = files[Path("2-cluster.sh")]
        programmed = script.index("--for=condition=Programmed")
        servers = script.index("rollout status deployment.apps/gemma-2b-it-vllm")
        routes = script.index(str(next(path.parent for path in files if path.name.startswith("httproute."))))
        assert programmed < servers < routes

    def test_charts_come_before_objects_of_their_kinds(self) -> None:
        files = files_of("kserve-single-replica-gpu", None)
        script = files[Path("2-cluster.sh")]
        [service] = [path for path in files if path.name.startswith("llminferenceservice.")]
        assert script.rindex("helm upgrade ") < script.index(f"--kustomize={service.parent}")

    @pytest.mark.parametrize("name", ["1-google-cloud.sh", "2-cluster.sh"])
    def test_scripts_are_valid(self, name: str, tmp_path: Path) -> None:
        for stack in ("gpu", "kserve-istio-prefix-cache-gpu"):
            script = tmp_path / name
            script.write_text(files_of(stack, None)[Path(name)], encoding="utf-8")
            subprocess.run(["/bin/bash", "-n", str(script)], check=True)


def test_an_input_that_no_command_carries_is_refused() -> None:
    graph = graph_of("gpu")
    network = graph.one("gcp:compute/network:Network")
    network.inputs["mtu"] = 8896
    try:
        with pytest.raises(NotEjectableError, match="mtu"):
            ejected_files(graph, plan_of("gpu"))
    finally:
        del network.inputs["mtu"]


@pytest.mark.parametrize("changes", [FLEET_MEMBER, FLEET_CONFIG], ids=["member", "config"])
def test_a_stack_of_a_fleet_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotEjectableError, match="eject the stack without fleet"):
        ejected_files(graph_of("gpu", changes), plan_of("gpu", changes))


def test_secrets_become_variables() -> None:
    files = files_of("gpu", None)
    assert 'HF_TOKEN="${SECRET_HUGGINGFACE_TOKEN_HF_TOKEN:?}"' in files[Path("2-cluster.sh")]
    assert "TOKEN_HF_TOKEN=...  # HF_TOKEN of Secret huggingface-token\n" in files[Path("README.md")]


def test_a_project_that_is_not_set_is_a_word_to_replace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert eject_stack("gpu", {}, tmp_path / "out") == 0
    assert "PROJECT: the stack file has none" in capsys.readouterr().out
    assert "PROJECT: the stack file has none" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "--project=PROJECT" in (tmp_path / "out" / "1-google-cloud.sh").read_text(encoding="utf-8")
    assert not any("project-not-set" in file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.*"))


def test_a_folder_with_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").touch()
    assert llmd("eject", "gpu", "--out", str(tmp_path)) == 2
    assert "is not empty: name a new folder" in " ".join(capsys.readouterr().err.split())
