"""Several stacks in one program, and the typed outputs of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from llm_d_gke.components.late_values import OutputRefusedError
from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.planning import RefusedError, plan_stack
from llm_d_gke.resource_graph import Graph, Recorded, record
from llm_d_gke.settings import StackSettings
from tests.library.recorded_urns import FILE, STACKS, current
from tests.stacks import STACKS as MAIN_STACKS
from tests.stacks import existing_cluster, graph_of, plan_of, values_of

STACK_TYPE = "llm-d:stack:InferenceStack"


def two(settings: dict[str, Any], other: dict[str, Any]) -> Graph:
    """The graph of a program with two stacks in the Pulumi stack `dev`."""

    def program() -> None:
        chat, code = InferenceStack("chat", settings), InferenceStack("code", StackSettings.model_validate(other))
        pulumi.export("clusters", [chat.cluster_name, code.cluster_name])

    return record(program, stack="dev", preview=False)


@pytest.fixture(scope="module")
def both() -> Graph:
    return two(values_of("gpu"), values_of("multi-model-gpu"))


def of(graph: Graph, name: str) -> list[Recorded]:
    """The resources below one of the two components, itself included."""
    (root,) = (resource for resource in graph.by_type(STACK_TYPE) if resource.name == name)
    resources, waiting = [root], [root]
    while waiting:
        children = graph.children(waiting.pop())
        resources += children
        waiting += children
    return resources


def test_urns_of_existing_stacks_stay() -> None:
    assert current().splitlines() == FILE.read_text(encoding="utf-8").splitlines()
    tokens = {line.split("::")[2].rpartition("$")[2] for line in FILE.read_text(encoding="utf-8").splitlines()}
    assert STACK_TYPE in tokens
    assert set(MAIN_STACKS) <= set(STACKS)


@pytest.mark.parametrize("name", ["chat", "code"])
def test_logical_names_begin_with_the_instance(both: Graph, name: str) -> None:
    resources = of(both, name)
    assert len(resources) > 60
    assert [r.urn for r in resources if r.name != name and not r.name.startswith(f"{name}-")] == []


def test_every_resource_belongs_to_one_of_the_two(both: Graph) -> None:
    urns = [resource.urn for name in ("chat", "code") for resource in of(both, name)]
    assert len(urns) == len(set(urns)) == len(both) - 1


@pytest.mark.parametrize("stack", STACKS)
def test_every_kind_of_resource_gets_the_prefix(stack: str) -> None:
    """A component that forgot it would collide with that of the other stack."""
    graph = record(lambda: InferenceStack("chat", plan_of(stack)) and None, stack="dev")
    assert [r.urn for r in of(graph, "chat") if r.name != "chat" and not r.name.startswith("chat-")] == []
    assert sorted(
        r.name.removeprefix("chat-") for r in graph if r.type not in (STACK_TYPE, "pulumi:pulumi:Stack")
    ) == sorted(r.name for r in graph_of(stack) if r.type not in (STACK_TYPE, "pulumi:pulumi:Stack"))


def test_physical_names_carry_the_stack_and_the_instance(both: Graph) -> None:
    names = [cluster["name"] for cluster in both.by_type("gcp:container/cluster:Cluster")]
    assert sorted(names) == ["llm-d-dev-chat", "llm-d-dev-code"]
    assert sorted(both.outputs["clusters"]) == sorted(names)
    accounts = [account["accountId"] for account in both.by_type("gcp:serviceaccount/account:Account")]
    assert len(accounts) == len(set(accounts)) == 2


def test_two_stacks_of_one_name_are_refused() -> None:
    def program() -> None:
        InferenceStack("chat", values_of("gpu"), stack="shared")
        InferenceStack("code", values_of("multi-model-gpu"), stack="shared")

    with pytest.raises(pulumi.RunError, match="are called shared in project"):
        record(program, stack="dev", preview=False)
    record(lambda: InferenceStack("chat", values_of("gpu"), stack="shared") and None, stack="dev", preview=False)


def test_two_stacks_in_one_namespace_of_a_cluster_are_refused() -> None:
    def program(second: str) -> None:
        for name, namespace in (("chat", "team-a"), ("code", second)):
            InferenceStack(name, values_of("gpu", existing_cluster() | {"namespace": {"name": namespace}}))

    record(lambda: program("team-b"), stack="dev")
    with pytest.raises(
        pulumi.RunError, match="dev-chat and dev-code have the same namespace, team-a, in cluster shared"
    ):
        record(lambda: program("team-a"), stack="dev")


def test_nothing_in_google_cloud_is_created_twice(both: Graph) -> None:
    created = [
        (r.type, str(r.inputs.get("name") or r.inputs.get("accountId")))
        for r in both
        if r.type.startswith("gcp:") and not r.type.startswith("gcp:projects/") and r.custom
    ]
    assert len(created) > 10
    assert [entry for entry in created if created.count(entry) > 1] == []


def test_objects_go_to_the_cluster_of_their_own_stack(both: Graph) -> None:
    providers = {
        name: {r.provider for r in of(both, name) if r.type.startswith("kubernetes:")} for name in ("chat", "code")
    }
    assert [len(urns) for urns in providers.values()] == [1, 1]
    assert providers["chat"] != providers["code"]


def test_a_stack_waits_for_nothing_of_the_other(both: Graph) -> None:
    chat = {resource.urn for resource in of(both, "chat")}
    others = [urn for resource in of(both, "code") for urn in both.waits_for(resource.urn) if urn in chat]
    assert others == []


def test_the_names_of_an_existing_stack_can_be_kept() -> None:
    """A program of one's own takes over a stack of the project's program without a change."""
    values = values_of("gpu")

    def program() -> None:
        InferenceStack("gpu", values, stack="gpu", prefix="")

    program_graph = record(program, stack="gpu")
    project_graph = graph_of("gpu")
    assert [r.urn for r in program_graph] == [r.urn for r in project_graph]
    assert [r.inputs for r in program_graph] == [r.inputs for r in project_graph]


def test_outputs_are_typed_and_resolve() -> None:
    def program() -> None:
        stack = InferenceStack("chat", values_of("kserve-single-replica-gpu"))
        pulumi.export("provider", stack.provider.urn)
        pulumi.export("google", stack.google_provider.urn)
        for name in ("kubeconfig", "cluster_name", "namespace", "network", "subnetwork", "address", "endpoint"):
            pulumi.export(name, getattr(stack, name))
        pulumi.export("models", {model.name: model.endpoint for model in stack.models})

    graph = record(program, stack="dev", preview=False)
    outputs = graph.outputs
    assert outputs["provider"] == graph.one("pulumi:providers:kubernetes", "chat-kubernetes").urn
    assert outputs["google"] == graph.one("pulumi:providers:gcp").urn
    assert outputs["cluster_name"] == "llm-d-dev-chat"
    assert outputs["namespace"] == graph.one("kubernetes:core/v1:Namespace", "chat-namespace")["metadata"]["name"]
    assert outputs["network"].endswith("/llm-d-dev-chat-network")
    assert outputs["subnetwork"].endswith("/llm-d-dev-chat-nodes")
    assert outputs["endpoint"] == f"http://{outputs['address']}"
    (endpoint,) = outputs["models"].values()
    assert endpoint.startswith(f"{outputs['endpoint']}/")
    assert "llm-d-dev-chat" in outputs["kubeconfig"]


def test_an_existing_cluster_has_the_same_outputs() -> None:
    def program() -> None:
        stack = InferenceStack("chat", values_of("gpu", existing_cluster()))
        pulumi.export("cluster", stack.cluster_name)
        pulumi.export("network", stack.network)

    outputs = record(program, stack="dev", preview=False).outputs
    assert outputs["cluster"] == "shared"
    assert outputs["network"].endswith("/networks/shared")


def test_a_refusal_is_printed_without_a_traceback_and_for_a_program() -> None:
    settings = {key: value for key, value in values_of("gpu").items() if key != "project"}

    def refused(settings: Any) -> str:
        with pytest.raises(RefusedError) as error:
            InferenceStack("chat", settings)
        assert isinstance(error.value, pulumi.RunError)
        return str(error.value)

    texts: list[str] = []
    record(lambda: texts.extend(map(refused, (settings, {"llm-d:location": "us-central1-a"}))), stack="dev")
    assert "set project in the program's settings" in texts[0]
    assert "did you mean location?" in texts[1]
    assert "add it to the program's settings, for example models:" in texts[1]


@pytest.mark.parametrize("typed", [False, True])
def test_files_of_models_are_beside_the_program(typed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Path(__file__).parents[1] / "catalog" / "configs" / "google--gemma-2b-it.json"
    (tmp_path / "config.json").write_text(config.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "chat.jinja").write_text("{{ messages }}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    changes = {"models[0].id": "my/own", "models[0].config": "config.json", "models[0].chatTemplate": "chat.jinja"}
    values = values_of("gpu", changes)
    plan = plan_stack("chat", StackSettings.model_validate(values) if typed else values)
    assert plan.models[0].servers[0].memory is not None


@pytest.mark.parametrize("settings", [None, [{"project": "my-project"}], pulumi.ResourceOptions()])
def test_settings_that_are_no_mapping_are_named(settings: Any) -> None:
    with pytest.raises(TypeError, match="settings of stack dev are StackSettings or a mapping such as"):
        InferenceStack("chat", settings, stack="dev")


def test_warnings_of_a_program_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", logged.append)
    record(lambda: InferenceStack("chat", values_of("gpu")) and None, stack="dev")
    assert any("LLMD-TLS-NONE" in text for text in logged)


def test_what_a_program_prints_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine indents it by four columns and writes the severity before it."""
    printed: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", printed.append)
    settings = values_of("gpu") | {"release": "llm-d-0.10"}

    def program() -> None:
        InferenceStack("chat", settings)
        for wrong in (
            settings | {"location": "mars", "release": "x"},
            settings | {"location": pulumi.Output.from_input("x")},
        ):
            with pytest.raises((RefusedError, OutputRefusedError)) as error:
                InferenceStack("refused", wrong)
            printed.append(str(error.value))

    record(program, stack="dev")
    assert len(printed) > 3
    assert [line for text in printed for line in text.splitlines() if len(line) > 80 - len("    warning: ")] == []


def test_a_refusal_registers_nothing() -> None:
    refused: list[str] = []

    def program() -> None:
        with pytest.raises(RefusedError) as error:
            InferenceStack("chat", values_of("gpu", {"models[0].gpuMemoryUtilization": 3}))
        refused.extend(finding.path for finding in error.value.findings)

    graph = record(program, stack="dev")
    assert "llm-d:models[0].gpuMemoryUtilization" in refused
    assert len(graph) <= 1
