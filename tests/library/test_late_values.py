"""Settings that are outputs: planned with stand-ins, of which nothing is left in any resource."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

import pulumi
import pulumi_gcp as gcp
import pytest

from llm_d_gke.components.late_values import ACCEPTED, OutputRefusedError, separate_outputs
from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.planning import RefusedError
from llm_d_gke.resource_graph import Graph, Secret, jsonable, record
from tests.stacks import EXISTING_NETWORK, PROJECT, graph_of, values_of

KEY = "a-key-of-thirty-two-letters-or-so"
NAMES = {"network": "made-here", "subnetwork": "made-here-nodes", "podRange": "pods", "serviceRange": "services"}


def late(text: str) -> pulumi.Output[str]:
    return pulumi.Output.secret(text)


def settings(stack: str) -> dict[str, Any]:
    """Settings with an output wherever one is accepted."""
    changes = {
        "huggingFace": {"token": late("hf_real_token")},
        "registry": {"server": "registry.example.com", "username": "puller", "password": late("real-password")},
        "gateway.tls": {"kind": "certificate-manager", "certificates": ["c"]},
        "network.existing": {**EXISTING_NETWORK, **{key: late(name) for key, name in NAMES.items()}},
    }
    if "istio" in stack:
        changes |= {"apiKeys": {"team": late(KEY)}, "gateway.auth": {"kind": "api-keys"}}
        changes["gateway.tls"] = {"kind": "secret", "secret": "certificate"}
    return changes


@functools.cache
def graph_with(stack: str) -> Graph:
    """The graph of a stack with outputs, which exist only while a program runs."""

    def program() -> None:
        values = values_of(stack)
        for path, value in settings(stack).items():
            holder, _, key = path.rpartition(".")
            (values.setdefault(holder, {}) if holder else values)[key] = value
        InferenceStack("chat", values)

    return record(program, stack="dev", preview=False)


def plain(value: Any) -> Any:
    return value.value if isinstance(value, Secret) else value


def secret_text(graph: Graph, entry: str) -> str:
    """The value of an entry of the only Secret that has it."""
    texts = []
    for secret in graph.by_type("kubernetes:core/v1:Secret"):
        data = plain(secret.inputs.get("data", {}))
        if entry in data:
            texts.append(base64.b64decode(plain(data[entry])).decode())
    (text,) = texts
    return str(text)


@pytest.fixture(scope="module", params=["gpu", "kserve-istio-single-replica-gpu"])
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_no_stand_in_is_left(stack: str) -> None:
    graph = graph_with(stack)
    stand_ins: list[str] = []

    def program() -> None:
        changes = settings(stack)
        stand_ins.extend(separate_outputs({key: value for key, value in changes.items() if "." not in key})[1])

    record(program, stack="dev")
    text = json.dumps([jsonable(resource.inputs) for resource in graph], default=str)
    assert len(graph) > 50
    assert len(stand_ins) > 1
    assert [stand_in for stand_in in stand_ins if stand_in in text] == []
    assert "late-" not in text


def test_secrets_have_the_values_of_the_outputs(stack: str) -> None:
    graph = graph_with(stack)
    assert secret_text(graph, "token") == "hf_real_token"
    (entry,) = json.loads(secret_text(graph, ".dockerconfigjson"))["auths"].values()
    assert entry["password"] == "real-password"
    assert base64.b64decode(entry["auth"]) == b"puller:real-password"


def test_a_network_of_the_same_program_is_used(stack: str) -> None:
    graph = graph_with(stack)
    cluster = graph.one("gcp:container/cluster:Cluster")
    plain = [
        value.value if isinstance(value, Secret) else value for value in (cluster["network"], cluster["subnetwork"])
    ]
    assert plain[0].endswith("/networks/made-here")
    assert plain[1].endswith("/subnetworks/made-here-nodes")


def test_the_cluster_waits_for_the_network() -> None:
    def program() -> None:
        network = gcp.compute.Network("mine", name="mine", opts=pulumi.ResourceOptions(provider=gcp.Provider("google")))
        existing = {**EXISTING_NETWORK, "network": network.name}
        InferenceStack("chat", {**values_of("gpu"), "network": {"existing": existing}})

    graph = record(program, stack="dev")
    assert graph.depends(graph.one("gcp:container/cluster:Cluster"), graph.one("gcp:compute/network:Network"))


def test_a_new_token_restarts_pods_as_a_plain_one_does() -> None:
    """The digest is that of the token, not of its stand-in."""

    def digests(text: str, *, output: bool) -> set[str]:
        def program() -> None:
            InferenceStack("chat", {**values_of("gpu"), "huggingFace": {"token": late(text) if output else text}})

        graph = record(program, stack="dev", preview=False)
        pods = [plain(item["spec"])["template"]["metadata"] for item in graph.by_type("kubernetes:apps/v1:Deployment")]
        return {pod.get("annotations", {}).get("checksum/hugging-face-token") for pod in pods} - {None}

    assert len(digests("hf_one", output=True)) == 1
    assert digests("hf_one", output=True) == digests("hf_one", output=False)
    assert digests("hf_one", output=True) != digests("hf_two", output=True)


def test_unknown_outputs_are_planned(stack: str) -> None:
    """In the first preview, an output of a resource that does not exist yet has no value."""

    def program() -> None:
        unknown = gcp.serviceaccount.Account(
            "other", account_id="other-account", opts=pulumi.ResourceOptions(provider=gcp.Provider("google"))
        ).email
        InferenceStack("chat", {**values_of(stack), "huggingFace": {"token": unknown}})

    graph = record(program, stack="dev", preview=True)
    assert len(graph) == len(graph_of(stack)) + 2


@pytest.mark.parametrize(
    "paths",
    [["models[0].replicas"], ["accelerator.type"], ["location", "gateway.hostname"], ["labels.7"]],
    ids=["in a list", "in a group", "two", "named by a number"],
)
def test_outputs_that_planning_needs_are_refused_by_their_paths(paths: list[str]) -> None:
    refused: list[OutputRefusedError] = []

    def program() -> None:
        values = values_of("gpu")
        for path in paths:
            values |= with_output(path)
        with pytest.raises(OutputRefusedError) as error:
            InferenceStack("chat", values)
        refused.append(error.value)

    record(program, stack="dev")
    assert sorted(refused[0].paths) == sorted(f"llm-d:{path}" for path in paths)
    assert all(".".join(accepted).replace("*", "NAME") in str(refused[0]) for accepted in ACCEPTED)


def with_output(path: str) -> dict[str, Any]:
    """Settings with an output at a path."""
    first, *others = path.replace("[0]", ".0").split(".")
    value: Any = late("x")
    for part in reversed(others):
        value = [{**values_of("gpu")["models"][0], **value}] if part == "0" else {part: value}
    return {first: value}


class TestForms:
    """Outputs of a network may be names, ids or self links, as users have them at hand."""

    ID = "projects/{}/global/networks/made-here"

    def existing(self, network: str, **existing: str) -> Graph:
        def program() -> None:
            values = values_of("gpu")
            values["network"] = {"existing": {**EXISTING_NETWORK, **existing, "network": late(network)}}
            InferenceStack("chat", values)

        return record(program, stack="dev", preview=False)

    @pytest.mark.parametrize("form", ["made-here", ID, f"https://www.googleapis.com/compute/v1/{ID}"])
    def test_each_form_is_the_same_network(self, form: str) -> None:
        [cluster] = self.existing(form.format(PROJECT)).by_type("gcp:container/cluster:Cluster")
        assert plain(cluster.inputs["network"]) == self.ID.format(PROJECT)

    def test_a_network_of_another_project_is_refused_with_the_setting(self) -> None:
        with pytest.raises(pulumi.RunError, match=r"set network\.existing\.project: host-project"):
            self.existing(self.ID.format("host-project"))

    def test_a_host_project_that_is_set_is_its_project(self) -> None:
        graph = self.existing(self.ID.format("host-project"), project="host-project")
        [cluster] = graph.by_type("gcp:container/cluster:Cluster")
        assert plain(cluster.inputs["network"]) == self.ID.format("host-project")


@pytest.mark.parametrize(
    ("existing", "id_", "says"),
    [
        ({"nat": False}, "LLMD-NETWORK-NAT", "private nodes in network.existing.network pull images"),
        ({"podRange": "one", "serviceRange": "one"}, "LLMD-RANGE-TWICE", "describe network.existing.subnetwork"),
    ],
)
def test_findings_name_the_setting_and_not_its_stand_in(
    existing: dict[str, Any], id_: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)

    def program() -> None:
        names = {"network": late("made-here"), "subnetwork": late("made-here-nodes")}
        values = {**values_of("gpu"), "network": {"existing": {**EXISTING_NETWORK, **names, **existing}}}
        try:
            InferenceStack("chat", values)
        except RefusedError as refused:
            warnings.append(str(refused))

    record(program, stack="dev")
    text = " ".join(" ".join(warnings).split())
    assert id_ in text
    assert says in text
    assert "late-" not in text
