"""Upgrades between releases, GKE versions, drivers and pools: order, methods, losses, ways back."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.timeline import load_timeline
from llm_d_gke.planning import RefusedError, StackPlan
from llm_d_gke.planning.upgrades.differences import pod_changes
from llm_d_gke.planning.upgrades.open_pickers import OPEN_PICKERS
from llm_d_gke.planning.upgrades.planner import FREE_PRESETS, REST, plan_upgrade
from llm_d_gke.planning.upgrades.step import Loss, Step, UpgradePlan
from llm_d_gke.stackfile import project_stacks
from tests.stacks import existing_cluster, plan_of, values_of

RELEASES = catalog.load().releases
# In this order a step may come. Kinds of a chart may also come directly before their own controller.
ORDER = (
    "control-plane",
    "cluster",
    "nodes",
    "kinds",
    "controller",
    "picker",
    "router",
    "models-endpoint",
    "pause",
    "servers",
    "free-presets",
)
_SUPPORT = {"id": "LLMD-RELEASE-SUPPORT", "reason": "a test"}


@functools.cache
def _planned(stack: str, release: str, changes: str) -> StackPlan | tuple[str, ...]:
    """The plan, or the ids of the findings that refuse it. Where a release needs an acknowledgement, it has it."""
    merged = {**json.loads(changes), "release": release}
    try:
        try:
            return plan_of(stack, merged)
        except RefusedError:
            merged["acknowledge"] = [*values_of(stack).get("acknowledge", []), _SUPPORT]
            return plan_of(stack, merged)
    except RefusedError as refused:
        return tuple(finding.id for finding in refused.findings)


def upgrade(
    stack: str,
    before: str,
    after: str,
    changes: Mapping[str, Any] | None = None,
    later: Mapping[str, Any] | None = None,
) -> UpgradePlan:
    """`changes` hold on both sides, `later` on the second only."""
    old = plan_of(stack, {**(changes or {}), "release": before})
    new = plan_of(stack, {**(changes or {}), **(later or {}), "release": after})
    return plan_upgrade(old, new, RELEASES[before], RELEASES[after])


def steps(plan: UpgradePlan) -> dict[str, Step]:
    return {step.name: step for step in plan.steps}


def servers(plan: UpgradePlan) -> Step:
    [step] = [step for step in plan.steps if step.name.startswith("servers-")]
    return step


@pytest.mark.parametrize("stack", project_stacks())
def test_every_pair_of_releases_has_a_plan_or_a_finding(stack: str) -> None:
    planned = 0
    for before, after in itertools.permutations(RELEASES, 2):
        old, new = _planned(stack, before, "{}"), _planned(stack, after, "{}")
        if isinstance(old, tuple) or isinstance(new, tuple):
            findings = [finding for side in (old, new) if isinstance(side, tuple) for finding in side]
            assert findings
            assert all(finding.startswith("LLMD-") for finding in findings)
            continue
        plan = plan_upgrade(old, new, RELEASES[before], RELEASES[after])
        planned += 1
        assert plan.steps[-1].name == REST
        assert len(steps(plan)) == len(plan.steps)
        for step in plan.steps[:-1]:
            assert step.parts or step.by_hand or step.frees, step.name
        for step in plan.steps:
            assert step.changes
            assert step.back
            assert step.consequence
            assert (step.loss is Loss.NOTHING) or step.consequence != "nothing"
    # Its own release and at least the one before or after it.
    assert planned >= 2, stack


@pytest.mark.parametrize("stack", project_stacks())
def test_kinds_come_first_and_servers_last(stack: str) -> None:
    for before, after in itertools.permutations(RELEASES, 2):
        old, new = _planned(stack, before, "{}"), _planned(stack, after, "{}")
        if isinstance(old, tuple) or isinstance(new, tuple):
            continue
        planned = plan_upgrade(old, new, RELEASES[before], RELEASES[after]).steps[:-1]
        names = [step.name for step in planned if step.name != OPEN_PICKERS]
        ranks = [next(rank for rank, name in enumerate(ORDER) if step.startswith(name)) for step in names]
        by_name = [rank for rank, name in zip(ranks, names, strict=True) if name != "kinds-lws"]
        pairs = [rank for rank in by_name if ORDER[rank] not in ("pause", "servers")]
        assert pairs == sorted(pairs), names
        if "kinds-lws" in names:
            assert names.index("kinds-lws") < names.index("controller-lws")


def test_the_same_release_changes_nothing() -> None:
    plan = upgrade("gpu", "llm-d-0.9", "llm-d-0.9")
    assert plan.steps == ()
    assert plan.loss is Loss.NOTHING


@pytest.mark.parametrize("stack", ["disaggregated-gpu", "kserve-disaggregated-gpu"])
def test_deleted_images_are_a_warning_there_and_no_way_back(stack: str) -> None:
    """Upstream deleted the images of prefill and decode of llm-d v0.4 and v0.6."""
    to_deleted = upgrade(stack, "llm-d-0.9", "llm-d-0.6")
    assert "LLMD-PD-RELEASE-WITHDRAWN" in {warning.id for warning in to_deleted.warnings}
    assert "not possible" not in servers(to_deleted).back
    # Both lack their images, and each says so by its own name.
    neighbor = upgrade(stack, "llm-d-0.4", "llm-d-0.6")
    assert "LLMD-PD-RELEASE-WITHDRAWN" in {warning.id for warning in neighbor.warnings}
    back = upgrade(stack, "llm-d-0.6", "llm-d-0.9")
    assert "LLMD-PD-RELEASE-WITHDRAWN" not in {warning.id for warning in back.warnings}
    assert servers(back).back.startswith("not possible: upstream deleted images of llm-d-0.6")
    assert "not possible" not in steps(back)[REST].back


def test_servers_of_one_stage_go_back_to_every_release() -> None:
    assert "not possible" not in servers(upgrade("gpu", "llm-d-0.6", "llm-d-0.9")).back


def test_flags_that_differ_are_with_and_without() -> None:
    pod = plan_of("gpu").models[0].servers[0].pod
    first, second = (dataclasses.replace(pod, args=("serve", *args)) for args in (("--a", "60"), ("--b",)))
    assert pod_changes(first, second) == ("arguments: with --b, without --a 60",)
    assert pod_changes(first, dataclasses.replace(pod, args=("serve",))) == ("arguments: without --a 60",)


def test_a_spare_node_lets_servers_surge() -> None:
    plan = upgrade("gpu", "gaie-1.5", "llm-d-0.9")
    assert list(steps(plan)) == ["picker-gemma-2b-it", "servers-gemma-2b-it", REST]
    assert plan.loss is Loss.NOTHING
    step = servers(plan)
    assert "image vllm-openai:v0.19.1 -> vllm-openai:v0.26.0" in step.changes
    assert step.method.startswith("surge")
    assert step.instead is None


@pytest.mark.parametrize(
    ("replicas", "nodes", "loss"),
    [(1, 1, Loss.OUTAGE), (2, 2, Loss.CAPACITY), (3, 3, Loss.CAPACITY), (1, 2, Loss.NOTHING), (2, 3, Loss.NOTHING)],
)
def test_a_full_pool_loses_capacity_or_answers_nothing(replicas: int, nodes: int, loss: Loss) -> None:
    changes = {"models[0].replicas": replicas, "accelerator.nodes": {"min": 0, "max": nodes}}
    step = servers(upgrade("gpu", "gaie-1.5", "llm-d-0.9", changes))
    assert step.loss is loss
    assert ("nodes.max" in (step.instead or "")) is (loss is not Loss.NOTHING)


def test_more_room_for_the_upgrade_only_makes_it_surge() -> None:
    full = {"accelerator.nodes": {"min": 0, "max": 1}}
    plan = upgrade("gpu", "gaie-1.5", "llm-d-0.9", full, {"accelerator.nodes": {"min": 0, "max": 2}})
    assert list(steps(plan)) == ["nodes-accelerator-0", "picker-gemma-2b-it", "servers-gemma-2b-it", REST]
    assert steps(plan)["nodes-accelerator-0"].changes == ("max nodes 1 -> 2",)
    assert plan.loss is Loss.NOTHING


def test_kserve_without_room_has_to_stop_first() -> None:
    """KServe starts a new replica before it ends an old one, and would wait for a node without an end."""
    full = {"accelerator.nodes": {"min": 0, "max": 1}}
    plan = upgrade("kserve-single-replica-gpu", "llm-d-0.6", "gaie-1.5", full)
    pause, step = steps(plan)["pause-gemma-2b-it"], servers(plan)
    assert [other.name for other in plan.steps].index(pause.name) + 1 == [o.name for o in plan.steps].index(step.name)
    assert pause.settings == {"llm-d:paused": "true"}
    assert pause.parts == step.parts
    assert pause.loss is step.loss is Loss.OUTAGE


@pytest.mark.parametrize("failure_mode", ["close", "open"])
def test_requests_pass_while_kserve_replaces_a_picker(failure_mode: str) -> None:
    """KServe ends the old picker first. The pools of the old release open before, and the last step closes them."""
    changes = {"picker.failureMode": failure_mode}
    plan = upgrade("kserve-single-replica-gpu", "llm-d-0.6", "llm-d-0.9", changes)
    names, opens = list(steps(plan)), {"llm-d:picker.failureMode": "open"}
    assert (OPEN_PICKERS in names) is (failure_mode == "close")
    if failure_mode == "close":
        first = names.index(OPEN_PICKERS)
        assert names[first + 1].startswith("controller-kserve-llmisvc")
        opened, *later, last = plan.steps[first:]
        assert opened.settings == {**opens, "llm-d:release": "llm-d-0.6"}
        assert opened.parts == servers(plan).parts
        assert all(step.settings == opens for step in later)
        assert last.settings == {}


def test_kserve_loses_nothing_where_the_cluster_makes_it_start_new_pods_first() -> None:
    since = {"cluster.version": "1.36"}
    plan = upgrade("kserve-single-replica-gpu", "llm-d-0.6", "llm-d-0.9", since)
    assert OPEN_PICKERS not in steps(plan)
    assert plan.loss is Loss.NOTHING
    assert "is ready for 15 s before an old one ends" in servers(plan).method
    elected = upgrade("kserve-single-replica-gpu", "llm-d-0.6", "llm-d-0.9", since | {"picker.replicas": 2})
    assert OPEN_PICKERS in steps(elected)
    assert elected.loss is Loss.REQUESTS
    old = upgrade("kserve-single-replica-gpu", "llm-d-0.6", "llm-d-0.9", {"cluster.version": "1.35"})
    assert (OPEN_PICKERS in steps(old), old.loss) == (True, Loss.REQUESTS)


def test_prefill_and_decode_of_two_versions_do_not_exchange_a_cache() -> None:
    step = servers(upgrade("disaggregated-gpu", "llm-d-0.4", "llm-d-0.6"))
    assert step.loss is Loss.REQUESTS
    assert "29503" in step.consequence
    assert "prefill: image llm-d-cuda:v0.4.0 -> llm-d-cuda:v0.6.0" in step.changes
    assert len(step.parts) == 2


def test_a_group_without_a_spare_set_of_hosts_is_an_outage() -> None:
    step = servers(upgrade("mixture-of-experts-tpu", "gaie-1.5", "llm-d-0.9"))
    assert step.loss is Loss.OUTAGE
    assert "group of" in step.method


def test_a_changed_driver_replaces_the_pool() -> None:
    plan = upgrade(
        "gpu",
        "llm-d-0.9",
        "llm-d-0.9",
        {"accelerator.driverVersion": "default"},
        {"accelerator.driverVersion": "latest"},
    )
    step = steps(plan)["nodes-accelerator-0"]
    assert step.changes == ("driver version DEFAULT -> LATEST",)
    assert step.loss is Loss.OUTAGE
    assert step.seconds is not None
    pools, node = load_timeline().steps["pools"].seconds, load_timeline().steps["node"].seconds
    assert pools is not None
    assert node is not None
    assert step.seconds.best >= pools[0] + node[0]


def test_a_larger_disk_recreates_nodes_one_after_another() -> None:
    plan = upgrade("gpu", "llm-d-0.9", "llm-d-0.9", {"accelerator.diskGib": 100}, {"accelerator.diskGib": 200})
    assert steps(plan)["nodes-accelerator-0"].loss is Loss.CAPACITY


def test_another_machine_with_as_many_accelerators_recreates_nodes_one_after_another() -> None:
    machine = "accelerator.machineType"
    plan = upgrade("gpu", "llm-d-0.9", "llm-d-0.9", {machine: "n1-standard-8"}, {machine: "n1-standard-16"})
    assert steps(plan)["nodes-accelerator-0"].loss is Loss.CAPACITY
    plan = upgrade("gpu", "llm-d-0.9", "llm-d-0.9", {}, {"cpuPool.machineType": "e2-standard-8"})
    assert steps(plan)["nodes-cpu"].loss is Loss.CAPACITY


def test_the_only_pool_of_pickers_is_replaced_with_an_outage() -> None:
    """The provider replaces a pool for another disk key, and its name stays."""
    key = "projects/golden-project/locations/us-central1/keyRings/own/cryptoKeys/disks"
    plan = upgrade("gpu", "llm-d-0.9", "llm-d-0.9", {}, {"cluster.encryption": {"diskKey": key}})
    assert [steps(plan)[name].loss for name in ("nodes-cpu", "nodes-accelerator-0")] == [Loss.OUTAGE] * 2


def test_a_control_plane_takes_every_minor_version_and_none_back() -> None:
    plan = upgrade("gpu", "llm-d-0.9", "llm-d-0.9", {"cluster.version": "1.34"}, {"cluster.version": "1.36"})
    assert list(steps(plan)) == ["control-plane-1.35", "control-plane-1.36", REST]
    assert steps(plan)["control-plane-1.35"].settings == {"llm-d:cluster.version": "1.35"}
    back = upgrade("gpu", "llm-d-0.9", "llm-d-0.9", {"cluster.version": "1.36"}, {"cluster.version": "1.35"})
    assert [finding.id for finding in back.findings] == ["LLMD-PREFLIGHT-CLUSTER-BACK"]
    assert list(steps(back)) == [REST]


def test_kinds_that_go_back_are_a_warning() -> None:
    stack = "kserve-prefix-cache-gpu"
    assert not upgrade(stack, "gaie-1.5", "llm-d-0.9").findings
    [finding] = upgrade(stack, "llm-d-0.9", "gaie-1.5").findings
    assert finding.id == "LLMD-PREFLIGHT-KINDS-BACK"
    assert "kubectl get llminferenceservices.serving.kserve.io -A -o yaml" in finding.fix


def test_presets_can_be_deleted_after_the_way_back_to_a_kserve_that_leaves_their_finalizer() -> None:
    wide, single = "kserve-mixture-of-experts-wide-gpu", "kserve-single-replica-gpu"
    namespace = plan_of(wide).namespace.name
    back = upgrade(wide, "llm-d-0.9", "llm-d-0.6").steps
    assert [step.name for step in back[-2:]] == [FREE_PRESETS, REST]
    assert back[-2].frees == (namespace, "kserve")
    assert steps(upgrade(single, "llm-d-0.9", "gaie-1.5"))[FREE_PRESETS].frees == ("kserve",)
    others = {**existing_cluster(), "platform.kserve.existing": True}
    assert steps(upgrade(wide, "llm-d-0.9", "llm-d-0.6", others))[FREE_PRESETS].frees == (f"{namespace}-{wide}",)
    for before, after in (("llm-d-0.6", "llm-d-0.9"), ("llm-d-0.10", "llm-d-0.9"), ("gaie-1.5", "llm-d-0.6")):
        assert FREE_PRESETS not in steps(upgrade(wide, before, after))
    assert FREE_PRESETS not in steps(upgrade("mixture-of-experts-wide-gpu", "llm-d-0.9", "llm-d-0.6"))


def test_kinds_that_helm_never_changes_are_applied_by_hand() -> None:
    """The LeaderWorkerSet chart has its kind in crds/, which Helm installs once."""
    plan = steps(upgrade("mixture-of-experts-wide-gpu", "llm-d-0.9", "llm-d-0.10"))
    command = plan["kinds-lws"].by_hand
    assert command is not None
    assert "helm show crds oci://registry.k8s.io/lws/charts/lws --version 0.11.1" in command
    assert not plan["kinds-lws"].parts


def test_what_was_not_read_of_a_chart_is_said() -> None:
    """KServe 0.20's chart was read, and 0.21's was not."""
    read = steps(upgrade("kserve-prefix-cache-gpu", "gaie-1.5", "llm-d-0.9"))["kinds-kserve-llmisvc-crd"]
    unread = steps(upgrade("kserve-prefix-cache-gpu", "llm-d-0.9", "llm-d-0.10"))["kinds-kserve-llmisvc-crd"]
    assert read.method == "Helm changes the kinds in place; objects stay"
    assert "whether v0.21.0 has its kinds as templates" in unread.method
    assert "not established" in unread.method


def test_kinds_that_helm_never_changes_stay_on_the_way_back() -> None:
    plan = upgrade("mixture-of-experts-wide-gpu", "llm-d-0.10", "llm-d-0.9")
    assert "controller-lws" in steps(plan)
    assert "kinds-lws" not in steps(plan)
    assert not plan.findings


def test_a_controller_that_others_own_is_upgraded_by_hand() -> None:
    changes = {
        "cluster.existing": {"name": "shared", "version": "1.35.2-gke.1842000"},
        "network.existing": {"network": "n", "subnetwork": "s", "podRange": "p", "serviceRange": "r", "nat": True},
        "platform.kserve.existing": True,
    }
    plan = steps(upgrade("kserve-prefix-cache-gpu", "gaie-1.5", "llm-d-0.9", changes))
    assert "kinds-kserve-llmisvc-crd" not in plan or plan["kinds-kserve-llmisvc-crd"].by_hand
    by_hand = [step.name for step in plan.values() if step.by_hand]
    assert "controller-kserve-llmisvc-resources" in by_hand


def test_a_kind_that_the_stack_drops_stays() -> None:
    plan = upgrade("kserve-prefix-cache-gpu", "gaie-1.5", "llm-d-0.9")
    assert (
        "inferencepools.inference.networking.x-k8s.io stays, no longer managed by the stack"
        in steps(plan)[REST].changes
    )


@pytest.mark.parametrize(("nodes", "findings"), [(2, []), (1, ["LLMD-PREFLIGHT-SWITCH"])])
def test_another_deployment_starts_beside_the_old_one(nodes: int, findings: list[str]) -> None:
    room = {"accelerator.nodes": {"min": 0, "max": nodes}}
    switched = upgrade("gpu", "llm-d-0.9", "llm-d-0.9", room, {"deployment": "kserve"})
    assert [finding.id for finding in switched.findings] == findings
    assert servers(switched).changes == ("deployment kserve",)
    assert servers(switched).loss is Loss.NOTHING
    back = upgrade("gpu", "llm-d-0.9", "llm-d-0.9", {**room, "deployment": "kserve"}, {"deployment": "direct"})
    assert servers(back).parts[0].type == "llm-d:inference:ModelServer"
    [removed] = [change for change in steps(back)[REST].changes if "kserve-llmisvc-crd removed" in change]
    assert "LLMD-PREFLIGHT-DELETES" in removed


def test_elected_pickers_are_replaced_at_once() -> None:
    changes = {"picker": {"replicas": 2}}
    step = steps(upgrade("gpu", "gaie-1.5", "llm-d-0.9", changes))["picker-gemma-2b-it"]
    assert step.loss is Loss.REQUESTS
    assert "refused" in step.consequence


def test_a_removed_model_is_an_outage_of_that_model() -> None:
    old = plan_of("multi-model-gpu")
    models = values_of("multi-model-gpu")["models"]
    new = plan_of("multi-model-gpu", {"pattern": "single-replica", "models": models[:1]})
    plan = plan_upgrade(old, new, RELEASES[old.release], RELEASES[new.release])
    rest = steps(plan)[REST]
    assert rest.loss is Loss.OUTAGE
    assert old.models[1].served_name in rest.consequence


def test_durations_are_those_of_the_timeline() -> None:
    plan = plan_of("gpu", {"release": "llm-d-0.9"})
    assert plan.timeline is not None
    by_name = {step.name: step for step in plan.timeline.steps}
    pod = plan.models[0].servers[0].pod
    step = servers(upgrade("gpu", "gaie-1.5", "llm-d-0.9"))
    assert step.seconds is not None
    start = ("node", "image", "weights", "engine", "compile")
    assert step.seconds.best == sum(by_name[name].best for name in start) + pod.min_ready_seconds + pod.pre_stop_seconds
    assert step.seconds.worst == sum(by_name[name].worst for name in start) + pod.min_ready_seconds + pod.grace_seconds
    assert not step.seconds.verified


def test_releases_follow_each_other() -> None:
    """Each release leads back to the first of its line, and none has two that follow it."""
    followed = [release.follows for release in RELEASES.values() if release.follows is not None]
    assert len(followed) == len(set(followed))
    for name in RELEASES:
        seen, current = [name], RELEASES[name].follows
        while current is not None:
            assert current not in seen, seen
            seen.append(current)
            current = RELEASES[current].follows
