"""The picker's configuration, arguments and probes, by release."""

from __future__ import annotations

import re
from typing import Any

import pytest

from llm_d_gke.catalog import load
from llm_d_gke.catalog.upstream import load_upstream
from llm_d_gke.planning import RefusedError
from llm_d_gke.planning.plan.routing import PickerPlan
from tests.stacks import plan_of

RELEASES = sorted(load().releases)


def picker(changes: dict[str, Any] | None = None) -> PickerPlan:
    return plan_of("gpu", changes).models[0].picker


def weights(plan: PickerPlan) -> dict[str, float]:
    [profile] = plan.config["schedulingProfiles"]
    return {plugin["pluginRef"]: plugin["weight"] for plugin in profile["plugins"]}


class TestConfiguration:
    def test_scorers_weigh_three_two_two(self) -> None:
        assert weights(picker()) == {"prefix-cache-scorer": 3, "kv-cache-utilization-scorer": 2, "queue-scorer": 2}

    def test_prefixes_that_no_engine_caches_are_not_scored_by_default(self) -> None:
        """A recipe without prefix caching names no scorer, and contradicts nothing. A written weight does."""
        assert weights(picker({"models[0].prefixCaching": False})) == {
            "kv-cache-utilization-scorer": 2,
            "queue-scorer": 2,
        }
        with pytest.raises(RefusedError):
            picker({"models[0].prefixCaching": False, "picker.preset": "balanced"})

    def test_a_scorer_without_weight_is_left_out(self) -> None:
        plan = picker({"picker.scorers.prefixCache": 0})
        assert weights(plan) == {"kv-cache-utilization-scorer": 2, "queue-scorer": 2}
        assert [plugin["type"] for plugin in plan.config["plugins"]] == list(weights(plan))

    def test_weights_are_written_as_they_are(self) -> None:
        assert weights(picker({"picker.scorers.queue": 0.5}))["queue-scorer"] == 0.5
        assert str(weights(picker({"picker.scorers.queue": 4.0}))["queue-scorer"]) == "4"

    @pytest.mark.parametrize("release", RELEASES)
    def test_the_release_decides_group_image_and_flags(self, release: str) -> None:
        """A flag or a group of another release is a crash loop."""
        plan, catalog_picker = (
            picker({"release": release, "registry": {"existingSecret": "pull"}}),
            load().releases[release].picker,
        )
        assert plan.config["apiVersion"] == catalog_picker.config_api
        assert plan.pod.image == catalog_picker.image
        assert set(catalog_picker.flags) <= set(plan.pod.args)
        assert plan.objective_groups == catalog_picker.objective_groups

    @pytest.mark.parametrize("release", RELEASES)
    def test_no_image_moves(self, release: str) -> None:
        plan = plan_of("gpu", {"release": release, "registry": {"existingSecret": "pull"}}).models[0]
        for image in (plan.picker.pod.image, plan.servers[0].pod.image):
            # Red Hat's tags have no leading v.
            assert re.fullmatch(r"v?\d+\.\d+\.\d+", image.rsplit(":", 1)[1]), image


class TestReplicas:
    """What is configured for several replicas: the index of prefixes, and where prompts without a hit go."""

    @staticmethod
    def parameters(release: str, **changes: Any) -> dict[str, dict[str, Any]]:
        config = plan_of("prefix-cache-gpu", {"release": release, **changes}).models[0].picker.config
        return {plugin["type"]: plugin.get("parameters", {}) for plugin in config["plugins"]}

    @pytest.mark.parametrize(("release", "spreads"), [("llm-d-0.9", True), ("llm-d-0.6", True), ("gaie-1.5", False)])
    def test_prompts_without_a_hit_are_spread_where_the_picker_can(self, release: str, spreads: bool) -> None:
        assert ("no-hit-lru-scorer" in self.parameters(release)) == spreads

    def test_their_weight_is_a_setting(self) -> None:
        model = plan_of("prefix-cache-gpu", {"picker.scorers.noHitLru": 0.5}).models[0]
        assert weights(model.picker)["no-hit-lru-scorer"] == 0.5
        assert "no-hit-lru-scorer" not in self.parameters("llm-d-0.9", **{"picker.scorers.noHitLru": 0})

    def test_a_single_replica_needs_neither(self) -> None:
        config = picker({"release": "llm-d-0.6"}).config
        assert [plugin for plugin in config["plugins"] if plugin.get("parameters")] == []

    def test_the_index_follows_the_engine_and_its_memory_on_the_host(self) -> None:
        """Host memory beside the cache of a T4 holds tokens of its own."""
        plan = plan_of("prefix-cache-gpu", {"release": "llm-d-0.6"}).models[0]
        memory = plan.servers[0].memory
        assert memory is not None
        [without] = [self.parameters("llm-d-0.6")["prefix-cache-scorer"]["lruCapacityPerServer"]]
        assert without == 2 * memory.kv_tokens // 16
        [beside] = [
            self.parameters("llm-d-0.6", **{"models[0].kvOffloadGib": 1})["prefix-cache-scorer"]["lruCapacityPerServer"]
        ]
        assert beside == pytest.approx(without * (1 + 1 / memory.available_gib), rel=0.01)

    def test_an_engine_without_room_for_a_token_is_refused_and_sizes_no_index(self) -> None:
        changes = {
            "models": [{"id": "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4", "replicas": 1, "dataParallel": 8}],
            "location": "us-east4-a",
            "pattern": "mixture-of-experts",
            "accelerator": {"type": "tpu-v6e", "machineType": "ct6e-standard-8t", "nodes": {"max": 100}},
        }
        with pytest.raises(RefusedError, match="LLMD-TPU-RANKS"):
            plan_of("gpu", changes)


class TestVerbosity:
    def test_a_picker_logs_as_much_as_is_set(self) -> None:
        def flags(**changes: int) -> list[str]:
            plan = plan_of("gpu", {f"picker.{key}": value for key, value in changes.items()})
            return [arg for arg in plan.models[0].picker.pod.args if arg.startswith("--v")]

        assert flags() == []
        assert flags(verbosity=4) == ["--v=4"]

    def test_every_picker_of_the_catalog_has_the_flag(self) -> None:
        catalog = load()
        programs = load_upstream().programs
        read = [release.picker.image for release in catalog.releases.values() if release.picker.image in programs]
        assert len(set(read)) >= 4
        assert all("v" in programs[image].flags for image in read)


class TestElection:
    def test_one_picker_elects_nobody(self) -> None:
        plan = picker()
        assert "--ha-enable-leader-election" not in plan.pod.args
        assert plan.pod.readiness is not None
        assert plan.pod.liveness is not None
        assert plan.pod.readiness.grpc_service == plan.pod.liveness.grpc_service == "inference-extension"

    def test_many_pickers_are_ready_one_at_a_time(self) -> None:
        """Only the leader may be called: the others report unready under a separate readiness name."""
        plan = picker({"picker.replicas": 3})
        assert plan.replicas == 3
        assert plan.pod.readiness is not None
        assert plan.pod.liveness is not None
        assert (plan.pod.liveness.grpc_service, plan.pod.readiness.grpc_service) == ("liveness", "readiness")
        assert plan.pod.spread_over == plan.selector


@pytest.mark.parametrize(("mode", "written"), [("open", "FailOpen"), ("close", "FailClose")])
def test_what_happens_without_a_picker_is_a_setting(mode: str, written: str) -> None:
    assert plan_of("gpu", {"picker.failureMode": mode}).models[0].pool.failure_mode == written


def test_resources_are_settings() -> None:
    plan = picker({"picker": {"cpu": "250m", "memory": "512Mi"}})
    assert plan.pod.requests == {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "64Mi"}
    assert plan.pod.limits["memory"] == "512Mi"


def test_without_monitoring_nobody_reads_metrics() -> None:
    assert picker().metrics_reader is not None
    assert picker({"monitoring.enabled": False}).metrics_reader is None


def test_pool_and_picker_name_each_other() -> None:
    model = plan_of("gpu").models[0]
    assert model.pool.picker_service == model.picker.name
    assert model.pool.picker_port == model.picker.grpc_port
    assert f"--pool-name={model.pool.name}" in model.picker.pod.args
    assert model.pool.selector == model.servers[0].selector
