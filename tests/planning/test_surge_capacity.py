"""Changes of a running stack: room for both sets of model servers, and the end of an autoscaler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.surge_capacity import (
    DeployedServers,
    RolePools,
    check_autoscaler_end,
    check_stages_under_kserve,
    check_surge_capacity,
    deployed_servers_of,
    saved_deployed_servers,
)
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.changes import find_switch_problems, save_settings
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.planning.refusals.autoscaling import scaled
from tests.stacks import plan_of, sharing_nodes


def pool_names(plan: StackPlan) -> tuple[str, ...]:
    return tuple(pool.name for pool in plan.accelerator_pools)


def room(limit: int, replicas: int = 2) -> dict[str, object]:
    return {"accelerator.nodes": {"min": 0, "max": limit}, "models[0].replicas": replicas}


@pytest.mark.parametrize(("limit", "refused"), [(3, True), (4, False)])
def test_both_sets_have_to_fit(limit: int, refused: bool) -> None:
    before = deployed_servers_of(plan_of("prefix-cache-gpu", room(4)), "direct")
    place, prefill = before.places
    assert (place.servers, place.nodes, len(place.pools)) == (("qwen2-5-3b-instruct-vllm",), 2, 1)
    assert prefill == RolePools(pools=(), servers=(), nodes=0)
    after = plan_of("prefix-cache-gpu", {"deployment": "kserve", **room(limit)})
    findings = check_surge_capacity(before, after, "kserve")
    assert [finding.id for finding in findings] == (["LLMD-PREFLIGHT-SWITCH"] if refused else [])
    if refused:
        assert "take 2 of at most 3 accelerator nodes, and the new ones need 2 more" in findings[0].rule
        assert "nodes.max to 4" in findings[0].fix


def test_the_same_deployment_and_a_paused_stack_need_no_room() -> None:
    full = plan_of("prefix-cache-gpu", room(2))
    before = deployed_servers_of(full, "direct")
    assert check_surge_capacity(before, full, "direct") == []
    paused = plan_of("prefix-cache-gpu", {"deployment": "kserve", "paused": True, **room(2)})
    assert check_surge_capacity(before, paused, "kserve") == []
    assert check_surge_capacity(deployed_servers_of(paused, "kserve"), full, "direct") == []


@pytest.mark.parametrize("deployment", ["direct", "kserve"])
@pytest.mark.parametrize(("limit", "refused"), [(2, True), (3, True), (4, False)])
def test_another_model_needs_room_beside_the_one_that_leaves(deployment: str, limit: int, refused: bool) -> None:
    before = deployed_servers_of(plan_of("prefix-cache-gpu", {"deployment": deployment, **room(4)}), deployment)
    other = {"deployment": deployment, "models[0].id": "Qwen/Qwen2.5-1.5B-Instruct", **room(limit)}
    findings = check_surge_capacity(before, plan_of("prefix-cache-gpu", other), deployment)
    assert [finding.path for finding in findings] == (["llm-d:models"] if refused else [])


def reread(plan: StackPlan, deployment: str = "direct") -> DeployedServers:
    """The servers of a plan as the next `up` reads them."""
    saved = saved_deployed_servers(json.loads(json.dumps(asdict(deployed_servers_of(plan, deployment)))))
    assert saved is not None
    return saved


@pytest.mark.parametrize(
    ("deployment", "limit", "refused"), [("direct", 3, True), ("direct", 4, False), ("kserve", 2, False)]
)
def test_a_new_namespace_needs_room_for_both_sets(deployment: str, limit: int, refused: bool) -> None:
    """KServe's services are deleted before the new ones are created."""
    before = reread(plan_of("prefix-cache-gpu", {"deployment": deployment, **room(4)}), deployment)
    moved = plan_of("prefix-cache-gpu", {"deployment": deployment, "namespace.name": "elsewhere", **room(limit)})
    findings = check_surge_capacity(before, moved, deployment)
    assert [(finding.path, finding.value) for finding in findings] == (
        [("llm-d:namespace.name", "elsewhere")] if refused else []
    )
    assert check_surge_capacity(replace(before, namespace=None), moved, deployment) == []


@pytest.mark.parametrize(("limit", "refused"), [(2, 1), (3, 0)])
def test_replicas_over_several_hosts_start_beside_those_on_one(limit: int, refused: int) -> None:
    """A LeaderWorkerSet takes the place of a Deployment of the same name."""
    host = {
        "accelerator": {"type": "nvidia-h100-80gb", "machineType": "a3-highgpu-8g", "nodes": {"min": 0, "max": limit}},
        "models[0].id": "Qwen/Qwen3-32B",
        "models[0].tensorParallel": 8,
    }
    single, pair = plan_of("gpu", host), plan_of("gpu", {**host, "models[0].pipelineParallel": 2})
    assert [plan.models[0].servers[0].group is None for plan in (single, pair)] == [True, False]
    for before, after in ((single, pair), (pair, single)):
        findings = check_surge_capacity(reread(before), after, "direct")
        assert [finding.path for finding in findings] == ["llm-d:models"] * refused
    assert check_surge_capacity(reread(pair), pair, "direct") == []


def test_a_model_beside_the_others_needs_no_more_than_its_own_nodes() -> None:
    """The planner has judged whether the pool holds all of them."""
    plan = plan_of("multi-model-gpu")
    both = deployed_servers_of(plan, "direct")
    [place, _] = both.places
    assert len(place.servers) > 1
    assert (
        check_surge_capacity(replace(both, places=(replace(place, servers=place.servers[:1]),)), plan, "direct") == []
    )


def test_prefill_servers_take_no_room_of_the_others() -> None:
    before = deployed_servers_of(plan_of("disaggregated-tpu"), "direct")
    assert [place.nodes for place in before.places] == [1, 1]
    both = plan_of("tpu", {"accelerator.nodes.max": 2})
    assert both.accelerator_pools[0].max_nodes == 2
    # Of one stack, a pool keeps its name.
    named = tuple(replace(place, pools=pool_names(both)) for place in before.places[:1])
    assert check_surge_capacity(replace(before, places=named), both, "direct") == []


def test_servers_that_share_a_node_are_counted_as_one_node() -> None:
    changes = {
        "accelerator": {"type": "nvidia-l4", "machineType": "g2-standard-24", "nodes": {"min": 0, "max": 2}},
        "models[0]": {"id": "Qwen/Qwen3-4B", "maxModelLen": 4096, "replicas": 2, "tensorParallel": 1},
    }
    assert deployed_servers_of(plan_of("prefix-cache-gpu", changes), "direct").places[0].nodes == 1


def test_new_servers_take_what_old_ones_leave_of_a_node() -> None:
    def node_of_four(*gpus: int) -> StackPlan:
        return plan_of("multi-model-gpu", sharing_nodes(*gpus, most=1))

    def findings(*gpus: int, saved_pods: bool = True) -> list[str]:
        before = deployed_servers_of(node_of_four(1, 1), "direct")
        if not saved_pods:
            before = replace(before, places=tuple(replace(place, pods=()) for place in before.places))
        others = tuple(
            replace(place, servers=tuple(f"old-{name}" for name in place.servers)) for place in before.places
        )
        plan = node_of_four(*gpus)
        return [finding.id for finding in check_surge_capacity(replace(before, places=others), plan, "direct")]

    assert findings(1, 1) == []
    assert findings(1, 2) == ["LLMD-PREFLIGHT-SWITCH"]
    # What an older version saved counts whole nodes.
    assert findings(1, 1, saved_pods=False) == ["LLMD-PREFLIGHT-SWITCH"]


def test_servers_of_another_accelerator_stand_on_another_pool() -> None:
    before = deployed_servers_of(plan_of("kserve-single-replica-gpu"), "kserve")
    after = plan_of("mixture-of-experts-gpu")
    assert sum(pool.max_nodes for pool in after.accelerator_pools) == 1
    assert check_surge_capacity(before, after, "direct") == []


@pytest.mark.parametrize(
    ("limits", "paused", "after", "first"),
    [
        ((1, 3), False, {"models[0].replicas": 2}, "minimum and maximum 2"),
        ((2, 2), False, {"models[0].replicas": 2}, ""),
        ((2, 2), False, {"models[0].replicas": 3}, "minimum and maximum 3"),
        ((0, 2), False, {"models[0].replicas": 2, "paused": True}, "llm-d:paused: true first"),
        ((0, 2), True, {"models[0].replicas": 2, "paused": True}, ""),
        # A paused ScaledObject holds zero until it is deleted.
        ((2, 2), True, {"models[0].replicas": 2}, "minimum and maximum 2"),
        ((1, 3), False, scaled(minimum=2, maximum=2), ""),
        ((1, 3), False, {"models[0].id": "Qwen/Qwen2.5-1.5B-Instruct"}, ""),
        ((1, 3), False, {"deployment": "kserve"}, ""),
    ],
)
def test_an_autoscaler_ends_only_where_it_holds_the_number(
    limits: tuple[int, int], paused: bool, after: Mapping[str, Any], first: str
) -> None:
    minimum, maximum = limits
    running = plan_of("gpu", scaled(minimum=minimum, maximum=maximum) | {"paused": paused})
    findings = check_autoscaler_end(reread(running), plan_of("gpu", after))
    assert [finding.id for finding in findings] == (["LLMD-PREFLIGHT-AUTOSCALER"] if first else [])
    assert all(first in finding.fix for finding in findings)


_KSERVE = {"deployment": "kserve"}
_STAGES = {
    "deployment": "kserve",
    "pattern": "disaggregated",
    "models[0].id": "google/gemma-2-2b-it",
    "models[0].prefill": {"replicas": 1},
}


@pytest.mark.parametrize(
    ("before", "after", "is_refused"),
    [
        (_KSERVE, _STAGES, True),
        (_STAGES, _KSERVE, True),
        (_STAGES, _STAGES, False),
        (_KSERVE, _KSERVE, False),
        (_KSERVE, _STAGES | {"namespace.name": "another"}, False),
        # The Deployment of a paused stack has its selector, too.
        (_KSERVE | {"paused": True}, _STAGES, True),
        ({}, _STAGES, False),
        (_KSERVE, {}, False),
    ],
)
def test_prefill_servers_come_to_no_service_of_kserve_that_runs(
    before: Mapping[str, Any], after: Mapping[str, Any], is_refused: bool
) -> None:
    """Its Deployment selects pods by their role, and a selector cannot change."""
    base: dict[str, Any] = {
        "models[0].id": "google/gemma-2-2b-it",
        "accelerator": {"type": "nvidia-l4", "nodes": {"max": 4}},
        "models[0].dtype": None,
        "models[0].gpuMemoryUtilization": None,
    }
    running, planned = (plan_of("gpu", {**base, **changes}) for changes in (before, after))
    findings = check_stages_under_kserve(reread(running), planned)
    assert [finding.id for finding in findings] == ["LLMD-PREFLIGHT-STAGES"] * is_refused


def test_what_an_older_up_did_not_save_says_nothing() -> None:
    assert saved_deployed_servers({}) is None


def test_an_up_saves_what_the_next_one_is_checked_against(tmp_path: Path) -> None:
    paths = StackPaths("gpu", tmp_path)
    standing = load(PROJECT_ROOT, "gpu", {"accelerator.nodes.max": "1"})
    paths.home.mkdir(parents=True)
    save_settings(paths, standing)
    switched = load(PROJECT_ROOT, "gpu", {"accelerator.nodes.max": "1", "deployment": "kserve"})
    after = plan_of("gpu", {"accelerator.nodes.max": 1, "deployment": "kserve"})
    assert [finding.id for finding in find_switch_problems(paths, switched, after)] == ["LLMD-PREFLIGHT-SWITCH"]
    assert find_switch_problems(paths, standing, plan_of("gpu")) == []
