"""The bill of a stack: what each part costs, what is unknown, and what a million requests come to."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke.planning import StackPlan
from llm_d_gke.planning.plan.estimates import CostLine, When
from tests.planning.refusals.autoscaling import scaled
from tests.planning.refusals.case import errors_of
from tests.stacks import KUEUE, OPEN, plan_of, sharing_nodes

WHENS: tuple[When, ...] = ("running", "idle", "paused")
DATED = {"date": "2026-11-01", "source": "contract"}


def line(plan: StackPlan, name: str) -> CostLine:
    (match,) = [line for line in plan.cost.lines if line.name == name]
    return match


def names(plan: StackPlan) -> set[str]:
    return {line.name for line in plan.cost.lines}


def test_a_price_of_nothing_is_one_mistake_however_often_prices_are_read() -> None:
    """Idle accelerators are priced apart from the bill."""
    changes = {
        "accelerator": {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"min": 0, "max": 2}},
        "models": [{"id": "Qwen/Qwen3-32B", "tensorParallel": 2, "maxModelLen": 16384}],
        "prices": {**DATED, "machines": {"a3-highgpu-99g": {"onDemand": 3}}},
    }
    assert [error.id for error in errors_of("gpu", changes)] == ["LLMD-PRICE-NAME"]


class TestParts:
    def test_the_gpu_stack_costs_what_the_price_list_says(self) -> None:
        """n1-standard-4 with a T4 0.540, e2-standard-4 0.134, cluster 0.10, forwarding rule 0.025, NAT 0.0448."""
        plan = plan_of("gpu")
        running = {line.name: line.running for line in plan.cost.lines}
        assert running["accelerator nodes"] == pytest.approx(0.540, abs=0.001)
        assert running["CPU nodes"] == pytest.approx(0.134, abs=0.001)
        assert running["control plane"] == 0.10
        assert running["load balancer"] == 0.025
        assert running["NAT"] == 0.0448
        assert running["addresses"] == 0
        # 100 GiB of each of two nodes at 0.10 a GiB and month.
        assert running["boot disks"] == pytest.approx(2 * 100 * 0.10 / 730, abs=1e-4)
        # 1,300 series every 30 s are 0.156 million samples an hour.
        assert running["monitoring"] == pytest.approx(0.156 * 0.06, abs=1e-4)
        assert plan.cost.running == pytest.approx(sum(usd or 0 for usd in running.values()), abs=1e-3)

    def test_a_month_has_730_hours(self) -> None:
        total = plan_of("gpu").cost.total("running")
        assert total.monthly == pytest.approx(total.usd * 730, abs=0.01)

    def test_pausing_saves_every_accelerator_node(self) -> None:
        plan = plan_of("prefix-cache-gpu", {"accelerator.nodes.min": 2})
        nodes = line(plan, "accelerator nodes")
        assert nodes.paused == 0
        assert nodes.running is not None
        assert plan.cost.saved_by_pausing.usd > nodes.running

    @pytest.mark.parametrize("stack", ["gpu", "multi-model-gpu"])
    def test_a_paused_stack_tells_what_it_would_cost(self, stack: str) -> None:
        paused, up = plan_of(stack, {"paused": True}), plan_of(stack)
        assert paused.paused
        assert line(paused, "accelerator nodes").running == line(up, "accelerator nodes").running

    def test_nodes_that_the_pool_keeps_are_paid_while_it_runs(self) -> None:
        bill = line(plan_of("gpu", {"accelerator.nodes": {"min": 3, "max": 3}}), "accelerator nodes")
        assert bill.running == bill.idle == bill.most == pytest.approx(3 * 0.54)
        assert bill.note.startswith("3 x n1-standard-4")

    def test_replicas_that_share_a_node_are_paid_once(self) -> None:
        shared = {
            "accelerator": {
                "type": "nvidia-tesla-t4",
                "machineType": "n1-standard-32",
                "perNode": 4,
                "nodes": {"max": 1},
            },
            "models[0].tensorParallel": 1,
            "models[0].replicas": 4,
        }
        assert line(plan_of("gpu", shared), "accelerator nodes").note.startswith("1 x n1-standard-32")

    def test_models_that_share_a_node_pay_it_once(self) -> None:
        plan = plan_of("multi-model-gpu", sharing_nodes(1, 2, 1, most=2))
        assert line(plan, "accelerator nodes").note.startswith("1 x n1-standard-32")

    def test_public_nodes_pay_for_their_addresses(self) -> None:
        plan = plan_of("gpu", {"cluster.privateNodes": False})
        assert line(plan, "addresses").running == pytest.approx(2 * 0.005)
        assert line(plan, "addresses").paused == pytest.approx(0.005)
        assert "NAT" not in names(plan)

    def test_a_sixth_forwarding_rule_costs_more(self) -> None:
        models = [
            {"id": "Qwen/Qwen2.5-0.5B-Instruct", "servedName": f"m{n}", "dtype": "half", "maxModelLen": 1024}
            for n in range(6)
        ]
        changes = {
            "models": models,
            "accelerator.nodes.max": 6,
            "gateway.exposure": "internal",
            "gateway.directLoadBalancer": True,
        }
        plan = plan_of("multi-model-gpu", changes)
        assert line(plan, "load balancer").running == pytest.approx(0.025 + 2 * 0.01)

    def test_without_monitoring_there_is_no_line_for_it(self) -> None:
        assert "monitoring" not in names(plan_of("gpu", {"monitoring.enabled": False}))


class TestIdle:
    """No request comes: replicas that do not follow the load keep their pods and nodes."""

    @pytest.mark.parametrize(
        ("stack", "changes"),
        [
            ("gpu", {"cluster.privateNodes": False}),
            ("prefix-cache-gpu", {}),
            ("multi-model-gpu", {}),
            ("disaggregated-gpu", {}),
        ],
    )
    def test_fixed_replicas_cost_as_under_load(self, stack: str, changes: dict[str, Any]) -> None:
        plan = plan_of(stack, changes)
        assert [line.idle for line in plan.cost.lines] == [line.running for line in plan.cost.lines]
        assert "when idle" not in line(plan, "accelerator nodes").note

    @pytest.mark.parametrize(("least", "smallest", "nodes"), [(2, 0, 2), (1, 0, 1), (1, 2, 2), (0, 1, 1), (0, 0, 0)])
    def test_autoscaled_replicas_keep_the_fewest_and_the_pools_minimum(
        self, least: int, smallest: int, nodes: int
    ) -> None:
        pool = {"accelerator.nodes": {"min": smallest, "max": 3}, "cluster.privateNodes": False}
        plan = plan_of("gpu", pool | scaled(minimum=least, maximum=3))
        fixed = plan_of("gpu", pool | {"models[0].replicas": max(1, nodes)})
        for name in ("accelerator nodes", "addresses", "boot disks"):
            assert line(plan, name).idle == (line(fixed, name).running if nodes else line(fixed, name).paused)
        servers = line(plan_of("gpu", pool | {"models[0].replicas": least}), "monitoring")
        assert line(plan, "monitoring").idle == servers.running
        assert f"; {nodes} when idle" in line(plan, "accelerator nodes").note
        assert plan.cost.scaled_down == plan.cost.total("idle")

    def test_no_replica_leaves_the_pools_minimum(self) -> None:
        nodes = line(
            plan_of("gpu", {"models[0].replicas": 0, "accelerator.nodes": {"min": 0, "max": 2}}), "accelerator nodes"
        )
        assert nodes.running == nodes.idle == 0

    def test_autopilots_premium_is_paid_for_idle_nodes(self) -> None:
        own = {"prices": {**DATED, "items": {"autopilot-premium": 0.5}}}
        premium = line(plan_of("autopilot-gpu", own), "Autopilot premium")
        assert premium.idle == premium.running
        assert premium.idle


class TestUnknown:
    def test_an_unknown_price_makes_the_sum_a_least(self) -> None:
        """No source agrees on Hyperdisk, which v6e machines boot from."""
        cost = plan_of("tpu").cost
        assert cost.running is None
        total = cost.total("running")
        assert total.unknown == ("boot disks",)
        assert total.usd > 11
        assert cost.units is not None
        assert cost.units.requests.unknown == ("boot disks",)

    def test_what_is_not_bought_needs_no_price(self) -> None:
        assert plan_of("tpu").cost.total("paused").unknown == ()

    def test_no_alternative_is_guessed(self) -> None:
        ways = {alternative.provisioning: alternative for alternative in plan_of("gpu").cost.alternatives}
        assert set(ways) == {"on-demand", "spot", "flex-start", "reserved"}
        assert [way for way, alternative in ways.items() if alternative.chosen] == ["on-demand"]
        spot, flex = ways["spot"], ways["flex-start"]
        assert spot.accelerators is not None
        assert ways["on-demand"].total.usd > spot.total.usd
        assert flex.accelerators is None
        assert flex.total.unknown == ("accelerator nodes",)

    @pytest.mark.parametrize(
        ("stack", "kind", "way"),
        [("tpu", "spot", "spot"), ("tpu", "flex-start", "flex-start"), ("prefix-cache-gpu", "queued", "flex-start")],
    )
    def test_the_way_of_buying_decides_the_price(self, stack: str, kind: str, way: str) -> None:
        queued = {"acknowledge": [OPEN, KUEUE]} if kind == "queued" else {}
        cost = plan_of(stack, {"accelerator.provisioning": kind} | queued).cost
        (chosen,) = [alternative for alternative in cost.alternatives if alternative.chosen]
        assert chosen.provisioning == way
        assert cost.lines[0].running == chosen.accelerators


class TestOwnPrices:
    def test_they_replace_the_catalogs(self) -> None:
        own: dict[str, Any] = {
            **DATED,
            "machines": {"n1-standard-4": {"onDemand": 0.10}, "e2-standard-4": {"onDemand": 0.05}},
            "accelerators": {"nvidia-tesla-t4": {"onDemand": 0.20, "reserved": 0.12}},
            "items": {"cluster": 0.0, "nat-gateway": 0.01},
        }
        plan = plan_of("gpu", {"prices": own})
        assert line(plan, "accelerator nodes").running == pytest.approx(0.30)
        assert line(plan, "CPU nodes").running == pytest.approx(0.05)
        assert line(plan, "control plane").running == 0
        assert line(plan, "NAT").running == 0.01
        # What is not given stays: of the machine there is no reserved price, so of the node there is none.
        ways = {alternative.provisioning: alternative.accelerators for alternative in plan.cost.alternatives}
        assert ways["spot"] == pytest.approx(0.264, abs=0.001)
        assert ways["reserved"] is None

    def test_a_machine_has_no_price_of_a_way_in_which_it_is_not_sold(self) -> None:
        changes = {
            "accelerator": {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-1g", "provisioning": "spot"},
            "models": [{"id": "Qwen/Qwen3-8B", "maxModelLen": 8192}],
        }
        ways = [alternative.provisioning for alternative in plan_of("gpu", changes).cost.alternatives]
        assert ways == ["spot", "flex-start", "reserved"]

    def test_they_fill_what_nobody_publishes(self) -> None:
        plan = plan_of("tpu", {"prices": {**DATED, "items": {"hyperdisk-balanced": 0.08}}})
        assert plan.cost.running is not None

    def test_the_oldest_price_dates_the_sum(self) -> None:
        old = plan_of("gpu", {"prices": {**DATED, "date": "2020-01-01", "items": {"cluster": 0.1}}})
        assert old.cost.date == "2020-01-01"


class TestPerMillion:
    def test_it_is_cost_an_hour_over_requests_an_hour(self) -> None:
        cost = plan_of("gpu", {"models[0].load": {"requestsPerSecond": 2}}).cost
        assert cost.units is not None
        assert cost.running is not None
        assert cost.units.requests.usd == pytest.approx(cost.running / (2 * 3600) * 1e6, abs=0.01)
        assert cost.units.output_tokens.usd == pytest.approx(cost.units.requests.usd / 128, abs=0.01)
        assert cost.units.tokens.usd == pytest.approx(cost.units.requests.usd / 256, abs=0.01)
        assert cost.units.basis == "2 requests/s of 128 prompt and 128 output tokens"

    def test_the_guides_measurement_comes_to_the_same_dollars(self) -> None:
        """M5: gemma-2b on a T4 , 10 in flight, 86 + 91 tokens, 3.365 requests/s: 67 a million at 0.81 an hour."""
        changes = {
            "models[0].load": {"promptTokens": 86, "outputTokens": 91, "concurrency": 10},
            "prices": {**DATED, "items": dict.fromkeys(("cluster", "nat-gateway", "metrics-samples"), 0)},
        }
        cost = plan_of("gpu", changes).cost
        assert cost.units is not None
        assert cost.running is not None
        assert cost.units.requests.usd / cost.running == pytest.approx(67 / 0.81, rel=0.22)

    def test_several_models_share_the_bill(self) -> None:
        plan = plan_of("multi-model-gpu", {"models[0].load": {"requestsPerSecond": 3}})
        assert plan.cost.units is not None
        rates = [
            model.capacity.at_load.requests_per_second
            for model in plan.models
            if model.capacity and model.capacity.at_load
        ]
        assert len(rates) == 2
        assert plan.cost.units.requests_per_second == pytest.approx(sum(rates))

    def test_a_load_that_cannot_be_served_has_no_price(self) -> None:
        assert plan_of("gpu", {"models[0].load": {"requestsPerSecond": 100}}).cost.units is None
