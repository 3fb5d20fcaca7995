"""The plan of a stack file as a whole."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke import planning
from llm_d_gke.planning import RefusedError, StackPlan, plan_config, plan_raw, plan_stack
from llm_d_gke.stackfile.assumptions import load_assumed
from tests.planning.refusals.case import errors_of
from tests.stacks import ENCRYPTED, existing_cluster, plan_of, sharing_nodes, values_of
from tests.work import calls_of


def test_planning_and_settings_need_no_pulumi() -> None:
    """A plan is plain values: it can be made, printed and compared without Pulumi. Only loading uses Pulumi."""
    root = Path(planning.__file__).parent.parent
    imported = {
        path.relative_to(root).as_posix(): {
            name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        for folder in ("planning", "settings", "catalog")
        for path in (root / folder).rglob("*.py")
    }
    infrastructure = re.compile(r"pulumi(_\w+)?(\.|$)|llm_d_gke\.(components|rehearsal)(\.|$)")
    assert {path for path, names in imported.items() if any(map(infrastructure.match, names))} == set()


def test_the_gpu_stack_is_the_one_of_its_file() -> None:
    plan = plan_of("gpu")
    pool = plan.accelerator_pools[0]
    assert (plan.region, plan.location) == ("us-central1", "us-central1-a")
    assert (pool.machine_type, pool.guest_accelerator, pool.accelerators_per_node) == (
        "n1-standard-4",
        "nvidia-tesla-t4",
        1,
    )
    assert (pool.min_nodes, pool.max_nodes, pool.zones) == (0, 3, ("us-central1-a",))
    assert [model.key for model in plan.models] == ["gemma-2b-it"]


def test_the_tpu_stack_is_the_one_of_its_file() -> None:
    plan = plan_of("tpu")
    pool = plan.accelerator_pools[0]
    assert (pool.machine_type, pool.guest_accelerator, pool.placement_topology) == ("ct6e-standard-4t", None, None)
    assert (pool.min_nodes, pool.max_nodes, pool.accelerators_per_node) == (0, 2, 4)
    assert plan.network.proxy_cidr == "192.168.100.0/23"


def test_the_same_stack_gives_the_same_plan() -> None:
    assert plan_of("gpu") == plan_of("gpu")


def test_a_refused_stack_has_no_plan() -> None:
    values = values_of("gpu", {"models[0].maxModelLen": 100_000})
    with pytest.raises(RefusedError) as refused:
        plan_raw("gpu", values, ENCRYPTED)
    assert [f.path for f in refused.value.findings if f.severity == "error"] == ["llm-d:models[0].maxModelLen"]


def test_planning_leaves_the_configuration_as_it_was() -> None:
    values = values_of("gpu", {"nonsense": 1, "models[0].dtype": 2})
    with pytest.raises(RefusedError):
        plan_raw("gpu", values, ENCRYPTED)
    assert values == values_of("gpu", {"nonsense": 1, "models[0].dtype": 2})


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"monitoring"}),
        ({"monitoring.enabled": False}, set()),
        ({"huggingFace": {"secretManagerSecret": "hf"}}, {"monitoring", "secretmanager"}),
        (
            {"gateway.tls": {"kind": "certificate-manager", "certificates": ["a"]}},
            {"monitoring", "certificatemanager"},
        ),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_apis_follow_from_what_is_used(changes: dict[str, object], names: set[str]) -> None:
    always = {"compute", "container", "iam", "networkservices"}
    services = {service.removesuffix(".googleapis.com") for service in plan_of("gpu", changes).services}
    assert always <= services
    assert services & {"monitoring", "secretmanager", "certificatemanager"} == names


class TestCapacity:
    """All replicas together fit the pool at its largest, and not one more."""

    @pytest.mark.parametrize(("replicas", "limit", "fits"), [(3, 3, True), (4, 3, False), (1, 1, True), (0, 1, True)])
    def test_one_gpu_a_node(self, replicas: int, limit: int, fits: bool) -> None:
        changes = {"models[0].replicas": replicas, "accelerator.nodes": {"max": limit}}
        assert (errors_of("gpu", changes) == []) is fits

    @pytest.mark.parametrize(("replicas", "fits"), [(4, True), (5, False)])
    def test_replicas_share_a_node_with_many_gpus(self, replicas: int, fits: bool) -> None:
        changes = {
            "accelerator": {
                "type": "nvidia-tesla-t4",
                "machineType": "n1-standard-32",
                "perNode": 4,
                "nodes": {"max": 1},
            },
            "models[0].tensorParallel": 1,
            "models[0].replicas": replicas,
        }
        assert (errors_of("gpu", changes) == []) is fits

    @pytest.mark.parametrize(
        ("gpus", "most", "fits"),
        [((1, 2, 1), 1, True), ((1, 2, 2), 1, False), ((3, 1), 1, True), ((4, 1, 1), 2, True), ((4, 4, 1), 2, False)],
    )
    def test_models_share_a_node_with_many_gpus(self, gpus: tuple[int, ...], most: int, fits: bool) -> None:
        assert (errors_of("multi-model-gpu", sharing_nodes(*gpus, most=most)) == []) is fits

    @pytest.mark.parametrize(("replicas", "fits"), [(2, True), (3, False)])
    def test_a_tpu_pod_takes_its_node_whole(self, replicas: int, fits: bool) -> None:
        assert (errors_of("tpu", {"models[0].replicas": replicas}) == []) is fits

    def test_a_paused_stack_needs_none(self) -> None:
        assert errors_of("gpu", {"models[0].replicas": 9, "paused": True}) == []


def test_a_stack_of_any_name_gets_legal_labels() -> None:
    """Pulumi takes capitals and dots in a stack's name, Google Cloud in no label."""
    plan = plan_raw("Prod.EU-West", values_of("gpu"), ENCRYPTED)
    assert dict(plan.labels) == {"llm-d-stack": "prod-eu-west"}
    assert plan.cluster.name == "llm-d-prod-eu-west"


def costs(plan: StackPlan) -> dict[str, tuple[float | None, float | None]]:
    return {line.name: (line.idle, line.running) for line in plan.cost.lines}


def test_findings_of_a_stack_file_name_its_lines() -> None:
    """`up`, `preview` and every other command print them, not only the report."""
    warnings = plan_config("gpu", load_assumed("gpu")).warnings
    assert warnings
    assert all((finding.place or "").startswith("Pulumi.gpu.yaml, line ") for finding in warnings)
    with pytest.raises(RefusedError) as refused:
        plan_config("gpu", load_assumed("gpu", {"llm-d:models[0].replicas": "9"}))
    places = {finding.path: finding.place for finding in refused.value.findings}
    assert places["llm-d:accelerator.nodes.max"] == "Pulumi.gpu.yaml, line 7"
    with pytest.raises(RefusedError) as mistyped:
        plan_config("gpu", load_assumed("gpu", {"llm-d:models[0].replicas": "many"}))
    assert [finding.place for finding in mistyped.value.findings if "replicas" in finding.path] == ["-c"]


def test_a_brought_cluster_is_not_paid_twice() -> None:
    assert "control plane" not in costs(plan_of("gpu", existing_cluster()))
    assert "control plane" in costs(plan_of("gpu"))


class TestWork:
    """Bounds a third above today's work; docs/measurements/planning.md has the seconds of a quiet machine."""

    def test_of_one_stack(self) -> None:
        plan_of("gpu", {})
        assert calls_of(lambda: plan_of("gpu", {})) < 14_000

    def test_of_a_hundred_models_grows_with_their_number_only(self) -> None:
        entry = {"id": "Qwen/Qwen2.5-0.5B-Instruct", "dtype": "half", "maxModelLen": 1024}
        models = [entry | {"servedName": f"model-{number}"} for number in range(100)]
        many = {"models": models, "accelerator.nodes": {"max": 100}}
        assert len(plan_of("multi-model-gpu", many).models) == 100
        assert calls_of(lambda: plan_of("multi-model-gpu", many)) < 100 * 18_000


@pytest.mark.parametrize("project", ["acme.com:llm", "acme.com:llm-production", "my-project-123456"])
def test_projects_of_a_domain_keep_it_in_names_of_identities(project: str) -> None:
    names = {"network": "n", "subnetwork": "s", "podRange": "p", "serviceRange": "q"}
    host = {**names, "nat": True, "project": f"{project}-net"}
    plan = plan_of("gpu", {"project": project, "network.existing": host})
    assert plan.cluster.workload_pool == f"{project}.svc.id.goog"
    assert plan.network.project == f"{project}-net"


def test_a_path_may_be_a_whole_expression() -> None:
    form, refused = errors_of("gpu", {"gateway.paths": ["^/v1/.*$"]})
    assert form.fix == 'use "/v1/*"'
    assert (refused.id, refused.value) == ("LLMD-ROUTE-ADMINISTRATION", "/v1/*")


@pytest.mark.parametrize("settings", [None, "project: my-project", [("project", "my-project")]])
def test_settings_of_a_program_that_are_no_mapping_are_named(settings: Any) -> None:
    with pytest.raises(TypeError, match="settings of stack chat are StackSettings or a mapping"):
        plan_stack("chat", settings)


@pytest.mark.parametrize(("name", "advice"), [(None, "in quotes"), (5, "in quotes"), ("", "give it one")])
def test_a_name_of_a_program_that_is_no_text_is_named(name: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=f"the name of a stack is a text such as 'chat', not {name!r}: .*{advice}"):
        plan_stack(name, {"project": "any-project"})


def test_a_command_in_a_fix_becomes_a_setting_of_the_program() -> None:
    keys = {"gateway.implementation": "istio", "gateway.auth": {"kind": "api-keys"}}
    with pytest.raises(RefusedError) as refused:
        plan_stack("gpu", values_of("gpu", keys))
    fix = next(finding.fix for finding in refused.value.findings if finding.id == "LLMD-API-KEYS-MISSING")
    assert fix.endswith("secretManagerSecret, or set apiKeys.my-team in the program's settings")
