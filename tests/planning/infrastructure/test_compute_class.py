"""A ComputeClass in place of the accelerator node pool: choices, pods, and what the stack costs by choice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.objects import of_kind
from tests.stacks import graph_of, plan_of

STACK = "compute-class-gpu"
NAME = "compute-class-gpu-l4"
ON_TPU = {
    "accelerator.provisioning": "spot",
    "accelerator.computeClass": {"fallbacks": [{"provisioning": "on-demand"}]},
}


def spec_of(stack: str, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    [compute_class] = of_kind(graph_of(stack, changes), "ComputeClass")
    return dict(compute_class["spec"])


class TestObject:
    def test_choices_come_in_their_order(self) -> None:
        priorities = spec_of(STACK)["priorities"]
        assert [(choice["machineType"], choice["spot"]) for choice in priorities] == [
            ("g2-standard-4", True),
            ("g2-standard-4", False),
            ("g2-standard-12", False),
        ]
        assert all(choice["gpu"]["type"] == "nvidia-l4" and choice["gpu"]["count"] == 1 for choice in priorities)

    def test_gke_creates_pools_and_never_other_machines(self) -> None:
        spec = spec_of(STACK)
        assert spec["nodePoolAutoCreation"] == {"enabled": True}
        assert spec["whenUnsatisfiable"] == "DoNotScaleUp"
        assert spec["activeMigration"] == {"optimizeRulePriority": True}

    def test_nodes_have_the_stack_s_account_label_zones_and_disk(self) -> None:
        spec, plan = spec_of(STACK), plan_of(STACK)
        account = f"{plan.cluster.service_account}@{plan.project}.iam.gserviceaccount.com"
        assert spec["nodePoolConfig"]["serviceAccount"] == account
        assert spec["nodePoolConfig"]["nodeLabels"] == {"llm-d.ai/stack": STACK}
        assert "imageType" not in spec["nodePoolConfig"]
        assert spec["nodePoolConfig"]["imageStreaming"] == {"enabled": True}
        assert all(choice["location"] == {"zones": ["us-central1-a"]} for choice in spec["priorities"])
        [pool] = plan.accelerator_pools
        assert {choice["storage"]["bootDiskSize"] for choice in spec["priorities"]} == {pool.disk_gib}

    def test_a_tpu_is_named_by_type_count_and_topology(self) -> None:
        [spot, on_demand] = spec_of("tpu", ON_TPU)["priorities"]
        assert spot["tpu"].keys() == {"type", "count", "topology"}
        assert "machineType" not in spot
        assert (spot["spot"], on_demand["spot"]) == (True, False)

    def test_flex_start_is_a_choice(self) -> None:
        choices = {"accelerator.computeClass": {"fallbacks": [{"provisioning": "flex-start"}]}}
        last = spec_of(STACK, choices)["priorities"][-1]
        assert last["flexStart"] == {"enabled": True}
        assert last["spot"] is False

    @pytest.mark.parametrize(
        ("reservation", "expected"),
        [
            ("mine", {"name": "mine"}),
            ("projects/owner/reservations/mine", {"name": "mine", "project": "owner"}),
            (
                "mine/reservationBlocks/b/reservationSubBlocks/s",
                {"name": "mine", "reservationBlock": {"name": "b", "reservationSubBlock": {"name": "s"}}},
            ),
        ],
    )
    def test_a_reservation_is_the_first_choice(self, reservation: str, expected: dict[str, Any]) -> None:
        """Beside a location GKE refuses it: its zones are its own."""
        reserved = {"accelerator.provisioning": "on-demand", "accelerator.reservation": reservation}
        first, *others = spec_of(STACK, reserved)["priorities"]
        zones = ["us-central1-a"]
        assert first["reservations"] == {"affinity": "Specific", "specific": [{**expected, "zones": zones}]}
        assert "location" not in first
        assert all(choice["location"] == {"zones": zones} and "reservations" not in choice for choice in others)


class TestStack:
    def test_there_is_no_accelerator_pool(self) -> None:
        pools = graph_of(STACK).by_type("gcp:container/nodePool:NodePool")
        assert [pool.name for pool in pools] == ["cpu"]

    def test_model_servers_select_the_class_and_nothing_else(self) -> None:
        [server] = [body for body in of_kind(graph_of(STACK), "Deployment") if "vllm" in body["metadata"]["name"]]
        pod = server["spec"]["template"]["spec"]
        assert pod["nodeSelector"] == {"cloud.google.com/compute-class": NAME}
        assert {
            "key": "cloud.google.com/compute-class",
            "operator": "Equal",
            "value": NAME,
            "effect": "NoSchedule",
        } in pod["tolerations"]

    def test_model_servers_come_after_the_class(self) -> None:
        graph = graph_of(STACK)
        server = next(
            resource for resource in graph.by_type("kubernetes:apps/v1:Deployment") if resource.name.endswith("-vllm")
        )
        assert graph.depends(server, graph.one("kubernetes:cloud.google.com/v1:ComputeClass"))

    def test_each_stage_has_a_class_of_its_own(self) -> None:
        changes = {
            "accelerator": {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-1g", "provisioning": "spot"}
            | {"computeClass": {}, "nodes": {"min": 0, "max": 4}},
            "models[0].tensorParallel": 1,
            "models[0].prefill.tensorParallel": 1,
        }
        names = {body["metadata"]["name"] for body in of_kind(graph_of("disaggregated-gpu", changes), "ComputeClass")}
        assert len(names) == 2

    def test_other_stacks_have_none(self) -> None:
        assert of_kind(graph_of("gpu"), "ComputeClass") == []


class TestCost:
    def test_it_is_stated_by_choice(self) -> None:
        cost = plan_of(STACK).cost
        totals = [choice.total.exact for choice in cost.choices]
        assert [(choice.machine_type, choice.provisioning) for choice in cost.choices] == [
            ("g2-standard-4", "spot"),
            ("g2-standard-4", "on-demand"),
            ("g2-standard-12", "on-demand"),
        ]
        # 1.0004 and 0.7068 dollars an hour in us-central1: catalog/prices.yaml.
        assert totals[2] is not None
        assert totals[1] is not None
        assert totals[2] - totals[1] == pytest.approx(1.0004 - 0.7068, abs=0.001)

    def test_the_most_is_that_of_the_dearest_choice(self) -> None:
        last = {"accelerator.computeClass": {"fallbacks": [{"provisioning": "on-demand"}]}}
        smaller, larger = plan_of(STACK, last).cost.at_most, plan_of(STACK).cost.at_most
        assert not larger.unknown
        assert larger.usd > smaller.usd

    def test_stacks_with_pools_have_no_choices(self) -> None:
        assert plan_of("gpu").cost.choices == ()
