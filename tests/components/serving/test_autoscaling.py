"""Replicas that follow the load: KEDA's objects against its own CRDs, and what they act on."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from llm_d_gke.rehearsal.toolchain.build import module_dir
from llm_d_gke.resource_graph import Graph
from tests.crd_schemas import refusals
from tests.objects import of_kind
from tests.planning.refusals.autoscaling import scaled
from tests.stacks import existing_cluster, graph_of, plan_of

ALL = {"requestsPerReplica": 16, "queuePerReplica": 2, "kvCache": 0.7, "timeToFirstTokenMs": 800}
WINDOW = {"start": "0 7 * * 1-5", "end": "0 19 * * 1-5", "timeZone": "Europe/Berlin", "replicas": 2}
EVERYTHING = scaled(
    minimum=0,
    maximum=3,
    target=ALL,
    windows=[WINDOW],
    up={"replicas": 2, "periodSeconds": 120},
    down={"replicas": 1, "periodSeconds": 60, "stabilizationSeconds": 600},
)
PREFILL = {"autoscaling": {"minimum": 1, "maximum": 2, "target": {"timeToFirstTokenMs": 500}}}
STAGES = scaled(maximum=2) | {"models[0].prefill": PREFILL, "accelerator.nodes": {"min": 0, "max": 2}}
GROUPS = scaled(maximum=2) | {"accelerator.nodes": {"min": 0, "max": 8}}
STACKS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "direct": ("gpu", EVERYTHING),
    "kserve": ("kserve-single-replica-gpu", EVERYTHING),
    "stages": ("disaggregated-gpu", STAGES),
    "groups": ("mixture-of-experts-wide-gpu", GROUPS),
    "example": ("autoscaled-gpu", {}),
}


@functools.cache
def crds() -> list[dict[str, Any]]:
    """KEDA's CRDs, from its chart. Its templates stand in conditions and metadata only."""
    folder = module_dir("github.com/kedacore/charts", "definitions") / "keda/templates/crds"
    definitions = []
    for name in ("scaledobjects", "triggerauthentications"):
        lines = (folder / f"crd-{name}.yaml").read_text("utf-8").splitlines()
        definitions.append(yaml.safe_load("\n".join(line for line in lines if "{{" not in line)))
    return definitions


def objects_of(stack: str) -> Graph:
    name, changes = STACKS[stack]
    return graph_of(name, changes)


def scaled_objects(graph: Graph) -> dict[str, Any]:
    return {scaled["metadata"]["name"]: scaled for scaled in of_kind(graph, "ScaledObject")}


@pytest.mark.parametrize("stack", STACKS)
def test_kedas_own_schemas_take_the_objects(stack: str) -> None:
    graph = objects_of(stack)
    bodies = [*of_kind(graph, "ScaledObject"), *of_kind(graph, "TriggerAuthentication")]
    assert len(bodies) >= 2
    assert list(refusals(crds(), bodies)) == []


def test_a_wrong_field_is_refused() -> None:
    """Else the test above could not fail."""
    [scaled] = of_kind(objects_of("direct"), "ScaledObject")
    wrong = scaled | {"spec": scaled["spec"] | {"minReplicas": 1}}
    assert "minReplicas" in " ".join(refusals(crds(), [wrong]))


@pytest.mark.parametrize(
    ("stack", "targets"),
    [
        ("direct", {("apps/v1", "Deployment", "gemma-2b-it-vllm")}),
        ("kserve", {("apps/v1", "Deployment", "gemma-2b-it-kserve")}),
        (
            "groups",
            {("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", plan_of(*STACKS["groups"]).models[0].servers[0].name)},
        ),
        ("stages", {("apps/v1", "Deployment", server.name) for server in plan_of(*STACKS["stages"]).models[0].servers}),
    ],
)
def test_each_acts_on_the_workload_of_its_servers(stack: str, targets: set[tuple[str, ...]]) -> None:
    scaled_targets = {
        (ref["apiVersion"], ref["kind"], ref["name"])
        for scaled in scaled_objects(objects_of(stack)).values()
        for ref in [scaled["spec"]["scaleTargetRef"]]
    }
    assert scaled_targets == targets


def test_limits_speeds_and_windows_are_as_set() -> None:
    [scaled] = scaled_objects(objects_of("direct")).values()
    spec = scaled["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["cooldownPeriod"]) == (0, 3, 300)
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"] == {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Pods", "value": 2, "periodSeconds": 120}],
    }
    assert behavior["scaleDown"] == {
        "stabilizationWindowSeconds": 600,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    }
    [cron] = [trigger for trigger in spec["triggers"] if trigger["type"] == "cron"]
    assert cron["metadata"] == {
        "timezone": "Europe/Berlin",
        "start": "0 7 * * 1-5",
        "end": "0 19 * * 1-5",
        "desiredReplicas": "2",
    }


def test_every_target_has_a_trigger_of_its_own_workload() -> None:
    [scaled] = scaled_objects(objects_of("direct")).values()
    by_name = {trigger["name"]: trigger for trigger in scaled["spec"]["triggers"]}
    assert {name: trigger["metadata"].get("threshold") for name, trigger in by_name.items()} == {
        "requests": "16",
        "queue": "2",
        "kv-cache": "0.7",
        "first-token": "0.8",
        "activity": "1000000",
        "window-1": None,
    }
    assert {name for name, trigger in by_name.items() if trigger["metricType"] == "Value"} == {"first-token"}
    for name, trigger in by_name.items():
        if trigger["type"] == "prometheus":
            query = trigger["metadata"]["query"]
            assert 'job="gemma-2b-it-vllm"' in query, name
            assert trigger["metadata"]["ignoreNullValues"] == "false", name
            assert trigger["authenticationRef"] == {"name": "managed-prometheus"}, name


def test_what_the_queries_read_is_scraped_under_that_job() -> None:
    graph = objects_of("stages")
    jobs = {monitoring["metadata"]["name"] for monitoring in of_kind(graph, "PodMonitoring")}
    read = {
        query.split('job="')[1].split('"')[0]
        for scaled in scaled_objects(graph).values()
        for trigger in scaled["spec"]["triggers"]
        for query in [trigger["metadata"]["query"]]
    }
    assert len(read) == 2
    assert read <= jobs


@pytest.mark.parametrize("gates", [None, ["flowControl"]])
def test_from_zero_the_picker_wakes_the_model(gates: list[str] | None) -> None:
    config = {"apiVersion": "llm-d.ai/v1alpha1", "kind": "EndpointPickerConfig", "featureGates": gates}
    changes = EVERYTHING | ({"picker.config": config} if gates else {})
    plan = plan_of("gpu", changes)
    server = plan.models[0].servers[0]
    assert server.scaling is not None
    [activity] = [trigger for trigger in server.scaling.triggers if trigger.name == "activity"]
    metric = "llm_d_epp_flow_control_queue_size" if gates else "llm_d_epp_request_error_total"
    assert metric in activity.metadata["query"]
    assert f'job="{plan.models[0].picker.name}"' in activity.metadata["query"]
    [zero] = [warning for warning in plan.warnings if warning.id == "LLMD-AUTOSCALING-ZERO"]
    assert ("keeps requests in its queue" in zero.rule) is bool(gates)


def test_the_stack_keeps_out_of_the_number_of_replicas() -> None:
    [deployment] = [
        body for body in objects_of("direct").by_type("kubernetes:apps/v1:Deployment") if "vllm" in body.name
    ]
    assert list(deployment.options.ignore_changes) == ["spec.replicas"]
    assert deployment.inputs["spec"]["replicas"] == 0
    fixed = [
        resource for resource in graph_of("gpu").by_type("kubernetes:apps/v1:Deployment") if "vllm" in resource.name
    ]
    assert [list(resource.options.ignore_changes) for resource in fixed] == [[]]
    [service] = of_kind(objects_of("kserve"), "LLMInferenceService")
    assert "replicas" not in service["spec"]
    [groups] = objects_of("groups").by_type("kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet")
    assert list(groups.options.ignore_changes) == ["spec.replicas"]


@pytest.mark.parametrize("stack", ["direct", "kserve"])
def test_a_paused_stack_runs_nothing(stack: str) -> None:
    name, changes = STACKS[stack]
    graph = graph_of(name, {**changes, "paused": True})
    [scaled] = scaled_objects(graph).values()
    assert scaled["metadata"]["annotations"] == {"autoscaling.keda.sh/paused-replicas": "0"}
    kind = "Deployment" if stack == "direct" else "LLMInferenceService"
    assert [body["spec"]["replicas"] for body in of_kind(graph, kind) if "epp" not in body["metadata"]["name"]] == [0]
    for running in scaled_objects(objects_of(stack)).values():
        # Without a replica there are no metrics, and KEDA would not raise it to its minimum.
        minimum = running["spec"]["minReplicaCount"]
        expected = {"autoscaling.keda.sh/force-activation": "true"} if minimum else None
        assert running["metadata"].get("annotations") == expected


def test_kedas_operator_may_read_metrics_and_its_chart_comes_first() -> None:
    graph = objects_of("example")
    [grant] = [
        resource
        for resource in graph.by_type("gcp:projects/iAMMember:IAMMember")
        if resource.name == "autoscaler-metrics"
    ]
    assert grant.inputs["role"] == "roles/monitoring.viewer"
    assert grant.inputs["member"].endswith(".svc.id.goog[keda/keda-operator]")
    [chart] = [resource for resource in graph.by_type("kubernetes:helm.sh/v3:Release") if resource.name == "keda"]
    assert chart.inputs["version"] == "2.20.2"
    assert chart.inputs["repositoryOpts"] == {"repo": "https://kedacore.github.io/charts"}


def test_an_existing_keda_is_neither_installed_nor_granted_anything() -> None:
    graph = graph_of("gpu", scaled() | existing_cluster() | {"platform.keda.existing": True})
    assert [resource.name for resource in graph.by_type("kubernetes:helm.sh/v3:Release")] == []
    assert [
        resource
        for resource in graph.by_type("gcp:projects/iAMMember:IAMMember")
        if resource.name == "autoscaler-metrics"
    ] == []
    assert len(scaled_objects(graph)) == 1


def test_a_budget_holds_from_one_replica_to_the_most() -> None:
    assert len(of_kind(graph_of("gpu", scaled(maximum=2)), "PodDisruptionBudget")) == 1
    assert of_kind(graph_of("gpu", scaled(maximum=1)), "PodDisruptionBudget") == []


def test_stages_scale_by_themselves() -> None:
    decode, prefill = plan_of("disaggregated-gpu", STAGES).models[0].servers
    assert decode.scaling is not None
    assert prefill.scaling is not None
    assert [trigger.name for trigger in decode.scaling.triggers] == ["requests"]
    assert [trigger.name for trigger in prefill.scaling.triggers] == ["first-token"]
    alone = plan_of("disaggregated-gpu", scaled(maximum=1)).models[0].servers
    assert [server.scaling is not None for server in alone] == [True, False]


def test_cost_is_a_range_and_quota_counts_the_most() -> None:
    scaling = plan_of("gpu", scaled(maximum=3))
    single, three = plan_of("gpu"), plan_of("gpu", {"models[0].replicas": 3})
    assert scaling.cost.scaled_down == single.cost.total("running")
    assert scaling.cost.total("running") == three.cost.total("running")
    assert single.cost.scaled_down is None
    assert scaling.models[0].capacity == three.models[0].capacity
    assert scaling.models[0].servers[0].most_replicas == 3


@pytest.mark.parametrize(
    ("kind", "stack", "changes"), [("Deployment", "gpu", EVERYTHING), ("LeaderWorkerSet", *STACKS["groups"])]
)
def test_a_fixed_number_is_set_although_an_autoscaler_owned_it(
    kind: str, stack: str, changes: Mapping[str, Any]
) -> None:
    def forced(changes: Mapping[str, Any]) -> bool:
        [workload] = [body for body in of_kind(graph_of(stack, changes), kind) if "vllm" in body["metadata"]["name"]]
        return bool(workload["metadata"].get("annotations", {}).get("pulumi.com/patchForce") == "true")

    assert (forced({}), forced(changes)) == (True, False)
