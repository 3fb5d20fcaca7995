"""Prefill and decode by way of KServe: what its presets for the two roles are merged with."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.serving.backends import BACKENDS
from tests.components.test_pod_security import broken
from tests.objects import Object, container, of_kind, one
from tests.stacks import graph_of, plan_of

KSERVE_ENGINE_PORT = BACKENDS["kserve"].decode_engine_port

GPU, TPU = "kserve-disaggregated-gpu", "kserve-disaggregated-tpu"
RELEASES = sorted(name for name, release in load().releases.items() if release.disaggregation is not None)

# What KServe itself puts on the pods of a service with prefill (its pkg/constants).
OF_KSERVE = {
    "app.kubernetes.io/name": "qwen3-32b",
    "app.kubernetes.io/part-of": "llminferenceservice",
    "kserve.io/component": "workload",
}


def model(stack: str = GPU, changes: dict[str, Any] | None = None) -> ModelPlan:
    [model_plan] = plan_of(stack, changes).models
    return model_plan


def spec(stack: str = GPU, changes: dict[str, Any] | None = None) -> Object:
    return dict(one(graph_of(stack, changes), "LLMInferenceService")["spec"])


def labels() -> dict[str, dict[str, str]]:
    """Of each role's pods: KServe's, the service's on all, prefill's own on its pods."""
    body = spec()
    return {
        "decode": OF_KSERVE | {"llm-d.ai/role": "decode"} | body["labels"],
        "prefill": OF_KSERVE | {"llm-d.ai/role": "prefill"} | body["labels"] | body["prefill"]["labels"],
    }


def probes(container_: Object) -> list[Object]:
    return [container_[name] for name in ("startupProbe", "livenessProbe", "readinessProbe")]


class TestSelection:
    def test_each_role_has_its_own_replicas(self) -> None:
        body = spec(changes={"models[0].replicas": 1})
        assert (body["replicas"], body["prefill"]["replicas"]) == (1, 2)
        paused = spec(changes={"paused": True})
        assert (paused["replicas"], paused["prefill"]["replicas"]) == (0, 0)

    def test_the_pool_has_both_roles(self) -> None:
        selector = spec()["router"]["scheduler"]["pool"]["spec"]["selector"]["matchLabels"]
        assert [role for role, own in labels().items() if selector.items() <= own.items()] == ["decode", "prefill"]

    @pytest.mark.parametrize(
        ("kind", "where"),
        [("PodDisruptionBudget", "selector"), ("PodMonitoring", "selector"), ("NetworkPolicy", "podSelector")],
    )
    def test_what_is_for_one_role_selects_that_role(self, kind: str, where: str) -> None:
        for role, name in (("decode", "qwen3-32b-kserve"), ("prefill", "qwen3-32b-kserve-prefill")):
            selector = one(graph_of(GPU), kind, name)["spec"][where]["matchLabels"]
            assert [other for other, own in labels().items() if selector.items() <= own.items()] == [role]

    def test_each_role_has_its_own_nodes(self) -> None:
        body = spec()
        nodes = [
            template["nodeSelector"]["llm-d.ai/role"] for template in (body["template"], body["prefill"]["template"])
        ]
        assert nodes == ["decode", "prefill"]

    def test_both_accounts_are_there_before(self) -> None:
        """KServe looks each of them up and makes no workload without."""
        recorded, body = graph_of(GPU), spec()
        service = recorded.one("kubernetes:serving.kserve.io/v1alpha2:LLMInferenceService")
        accounts = {r["metadata"]["name"]: r for r in recorded.by_type("kubernetes:core/v1:ServiceAccount")}
        for template in (body["template"], body["prefill"]["template"]):
            assert recorded.depends(service, accounts[template["serviceAccountName"]])


class TestSidecar:
    def test_it_takes_the_place_of_the_preset_s(self) -> None:
        """By its name. The preset's command, with its own flags, does not run."""
        [sidecar] = spec()["template"]["initContainers"]
        assert sidecar["name"] == "llm-d-routing-sidecar"
        assert sidecar["command"] == ["/app/pd-sidecar"]
        assert "initContainers" not in spec()["prefill"]["template"]

    def test_its_probes_are_of_the_preset_s_kind(self) -> None:
        """Two kinds in one probe are refused."""
        [sidecar] = spec()["template"]["initContainers"]
        assert [probe["httpGet"] for probe in probes(sidecar)] == [
            {"path": "/health", "port": 8000, "scheme": "HTTP"}
        ] * 3

    @pytest.mark.parametrize("release", RELEASES)
    def test_the_engine_is_where_the_preset_has_it(self, release: str) -> None:
        """Ports of containers merge by number: a different one would be added to the preset's."""
        body = spec(changes={"release": release})
        engine, [sidecar] = container({"spec": body["template"]}), body["template"]["initContainers"]
        assert engine["args"][engine["args"].index("--port") + 1] == str(KSERVE_ENGINE_PORT)
        assert {probe["httpGet"]["port"] for probe in probes(engine)} == {KSERVE_ENGINE_PORT}
        assert [port["containerPort"] for port in engine["ports"]] == [KSERVE_ENGINE_PORT, 5600]
        assert any(argument.endswith(f"-port={KSERVE_ENGINE_PORT}") for argument in sidecar["args"])
        assert [port["containerPort"] for port in sidecar["ports"]] == [8000]

    def test_prefill_answers_at_the_pool_s_port(self) -> None:
        engine = container({"spec": spec()["prefill"]["template"]})
        assert engine["args"][engine["args"].index("--port") + 1] == "8000"

    @pytest.mark.parametrize(("stack", "root"), [(GPU, True), (TPU, False)])
    def test_it_is_not_root_beside_an_engine_that_is(self, stack: str, root: bool) -> None:
        body = spec(stack)
        for template in (body["template"], body["prefill"]["template"]):
            assert {container["securityContext"]["runAsNonRoot"] for container in template["containers"]} == {root}
            for sidecar in template.get("initContainers", []):
                assert sidecar["securityContext"]["runAsNonRoot"]
                assert sidecar["securityContext"].get("runAsUser") != 0


def test_pods_keep_pod_security() -> None:
    body = spec()
    for role in (body, body["prefill"]):
        assert broken({"metadata": {"labels": role["labels"]}, "spec": role["template"]}) == set()


@pytest.mark.parametrize("release", RELEASES)
def test_the_picker_is_the_one_that_knows_two_stages(release: str) -> None:
    ctx, direct = model(GPU, {"release": release}).picker, model("disaggregated-gpu", {"release": release}).picker
    assert (ctx.config, ctx.pod.image) == (direct.config, direct.pod.image)


@pytest.mark.parametrize("stack", [GPU, "disaggregated-gpu"])
def test_cards_of_a_whole_node_are_claimed_for_each_role(stack: str) -> None:
    changes: dict[str, Any] = {
        "location": "us-central1-b",
        "accelerator": {"type": "nvidia-h200-141gb", "machineType": "a3-ultragpu-8g", "nodes": {"max": 4}},
        "models[0].tensorParallel": 8,
        "models[0].prefill.tensorParallel": 8,
    }
    claims = {claim["metadata"]["name"] for claim in of_kind(graph_of(stack, changes), "ResourceClaimTemplate")}
    named = [name for server in model(stack, changes).servers for name in server.pod.claims]
    assert len(named) == 2
    assert set(named) == claims


def test_no_object_of_one_deployment_has_a_name_of_the_other() -> None:
    def named(model_plan: ModelPlan) -> set[str]:
        return {name for server in model_plan.servers for name in (server.name, server.service_account)}

    assert named(model("disaggregated-gpu")) & named(model(GPU)) == set()
