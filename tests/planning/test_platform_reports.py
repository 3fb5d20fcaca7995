"""Public reports about the platform, as stack files: each gets the answer that its source calls for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.operations.diagnose.messages import recognize
from llm_d_gke.planning import RefusedError, StackPlan, plan_raw
from llm_d_gke.planning.findings import Finding, Severity
from llm_d_gke.planning.plan.serving import ModelServerPlan
from tests.stacks import ENCRYPTED, PROJECT, TOKEN, plan_of

REPORTS: list[dict[str, Any]] = [
    report
    for name in (
        "platform_reports",
        "platform_reports_second",
        "platform_reports_third",
        "platform_reports_fourth",
        "platform_reports_fifth",
        "platform_reports_sixth",
        "platform_reports_seventh",
        "platform_reports_eighth",
        "platform_reports_ninth",
        "platform_reports_tenth",
        "platform_reports_eleventh",
        "platform_reports_twelfth",
        "platform_reports_thirteenth",
        "platform_reports_fourteenth",
        "platform_reports_fifteenth",
        "platform_reports_sixteenth",
        "platform_reports_seventeenth",
        "platform_reports_eighteenth",
    )
    for report in read_yaml(Path(__file__).parent / "figures" / f"{name}.yaml")
]
# What only a cluster shows: the words that the reporter saw, and the cause that the diagnosis names.
LOGGED = [report for report in REPORTS if report["expected"] == "diagnosed" and "unsettled" not in report]
SETTLED = [report for report in REPORTS if "unsettled" not in report and report not in LOGGED]
# Warnings of every stack that others can reach, or that serves without a certificate.
_COMMON = {"LLMD-TLS-NONE", "LLMD-GATEWAY-OPEN"}


def judged(report: dict[str, Any]) -> tuple[StackPlan | None, list[Finding]]:
    values = {"project": PROJECT, "huggingFace": {"token": TOKEN}} | report["config"]
    try:
        plan = plan_raw("report", values, ENCRYPTED)
    except RefusedError as refused:
        return None, list(refused.findings)
    return plan, list(plan.warnings)


@pytest.mark.parametrize("report", SETTLED, ids=[report["report"] for report in SETTLED])
def test_a_report_gets_its_answer(report: dict[str, Any]) -> None:
    plan, findings = judged(report)
    answer = report.get("outcome", report["expected"]).split(",")[0]
    severities = {finding.id: finding.severity for finding in findings if finding.id not in _COMMON}
    assert (plan is None) == (answer == "refused")
    if "found" in report:
        assert severities[report["found"]] is (Severity.ERROR if answer == "refused" else Severity.WARNING)
    else:
        assert answer in ("accepted", "rendered")


@pytest.mark.parametrize("report", LOGGED, ids=[report["report"] for report in LOGGED])
def test_what_a_reporter_saw_gets_its_cause(report: dict[str, Any]) -> None:
    recognized = recognize(report["in"], report["text"], "Pod/a")
    assert (recognized.id if recognized is not None else "none") == report["cause"]


def plan_of_report(report: str) -> StackPlan:
    plan, _ = judged(next(row for row in REPORTS if row["report"] == report))
    assert plan is not None
    return plan


class TestPickers:
    def test_the_picker_reads_the_metric_that_the_engine_has(self) -> None:
        plan = plan_of_report("kubernetes-sigs/gateway-api-inference-extension#1905")
        assert "--kv-cache-usage-percentage-metric=vllm:kv_cache_usage_perc" in plan.models[0].picker.pod.args

    def test_prefill_from_the_first_token_is_no_threshold_of_zero(self) -> None:
        config = plan_of_report("llm-d/llm-d-router#933").models[0].picker.config
        assert "always-disagg-pd-decider" in str(config)
        assert "prefix-based-pd-decider" not in str(config)

    def test_prompts_are_rendered_under_the_name_that_is_served(self) -> None:
        config = plan_of_report("llm-d/llm-d#2221").models[0].picker.config
        assert "chat" in [entry.get("parameters", {}).get("modelName") for entry in config["plugins"]]


class TestDisaggregation:
    def variables(self, report: str) -> list[dict[str, str | None]]:
        plan, _ = judged(next(row for row in REPORTS if row["report"] == report))
        assert plan is not None
        return [{env.name: env.value for env in server.pod.env} for server in plan.models[0].servers]

    def test_cards_of_all_rails_reach_each_other(self) -> None:
        for variables in self.variables("llm-d/llm-d#1821"):
            assert variables["UCX_IB_ROCE_REACHABILITY_MODE"] == "all"

    def test_servers_without_rdma_do_not_name_it(self) -> None:
        for variables in self.variables("llm-d/llm-d#1686"):
            assert "UCX_IB_ROCE_REACHABILITY_MODE" not in variables
            assert int(variables["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"] or 0) > 90

    @pytest.mark.parametrize(("prefill", "decode"), [(1, 4), (4, 4), (4, 2)])
    def test_ranks_that_vllm_takes_are_planned(self, prefill: int, decode: int) -> None:
        changes = {"models[0].tensorParallel": decode, "models[0].prefill.tensorParallel": prefill}
        assert plan_of(
            "disaggregated-gpu", {**changes, "models[0].replicas": 1, "models[0].prefill.replicas": 1}
        ).models


class TestPools:
    @pytest.mark.parametrize(
        "report", ["hashicorp/terraform-provider-google#19890", "camunda-community-hub/camunda-8-helm-profiles#100"]
    )
    def test_machines_that_take_only_hyperdisk_boot_from_it(self, report: str) -> None:
        assert plan_of_report(report).cpu_pool.disk_type == "hyperdisk-balanced"


class TestPods:
    def servers(self, report: str) -> list[ModelServerPlan]:
        return list(plan_of_report(report).models[0].servers)

    def test_pods_of_a_class_tolerate_its_spot_nodes(self) -> None:
        for report in ("AI-Hypercomputer/xpk#187", "Smana/cloud-native-ref#1822"):
            [server] = self.servers(report)
            assert "cloud.google.com/gke-spot" in [taint.key for taint in server.pod.tolerations]
        [server] = self.servers("google/skills compute-class-crd-fields")
        assert "cloud.google.com/gke-spot" not in [taint.key for taint in server.pod.tolerations]

    def test_a_sidecar_on_autopilot_asks_for_enough_storage(self) -> None:
        for server in self.servers("agones-dev/agones#3411"):
            for container in server.pod.sidecars:
                assert container.requests["ephemeral-storage"] == "512Mi"

    def test_nccl_looks_for_no_plugin(self) -> None:
        [server] = self.servers("llm-d/llm-d wide-ep-lws gke overlay, NCCL tuner")
        values = {env.name: env.value for env in server.pod.env}
        assert (values["NCCL_TUNER_PLUGIN"], values["NCCL_NET_PLUGIN"]) == ("none", "")

    def test_engines_on_arm_hosts_tolerate_their_taint(self) -> None:
        for report in ("cloud.google.com prepare-arm-workloads-for-deployment", "ai-dynamo/dynamo#14682"):
            for server in self.servers(report):
                assert ("kubernetes.io/arch", "arm64") in [(taint.key, taint.value) for taint in server.pod.tolerations]

    def test_queued_servers_tolerate_the_taint_of_their_pool(self) -> None:
        report = "GoogleCloudPlatform/cluster-toolkit dws-flex-start-queued-provisioning/gke-tpu-v6e"
        [server] = self.servers(report)
        assert "cloud.google.com/gke-queued" in [taint.key for taint in server.pod.tolerations]
        [pool] = plan_of_report(report).accelerator_pools
        assert pool.flex_start

    def test_a_rollout_without_a_spare_accelerator_ends_the_old_server_first(self) -> None:
        [server] = self.servers("vllm-project/vllm#45077")
        assert (server.max_surge, server.max_unavailable) == (0, 1)

    def test_shared_memory_of_ranks_is_the_pods(self) -> None:
        [server] = self.servers("llm-d/llm-d#352")
        [shared] = [volume for volume in server.pod.volumes if volume.mount_path == "/dev/shm"]
        assert shared.source == {"medium": "Memory", "sizeLimit": "16Gi"}

    def test_stages_name_their_own_address(self) -> None:
        for server in self.servers("vllm-project/vllm#27083, its way out"):
            [host] = [env.field_path for env in server.pod.env if env.name == "VLLM_NIXL_SIDE_CHANNEL_HOST"]
            assert host == "status.podIP"


class TestNames:
    @pytest.mark.parametrize(
        "report", ["kubernetes-sigs/lws#410", "kubernetes-sigs/lws#410, by KServe", "kedacore/keda#7762"]
    )
    def test_names_leave_room_for_what_controllers_append(self, report: str) -> None:
        """KServe names a LeaderWorkerSet `<service>-kserve-mn`; a worker's StatefulSet has a number behind it."""
        [model] = plan_of_report(report).models
        names = [model.key + "-kserve-mn" if "KServe" in report else server.name for server in model.servers]
        assert all(len(f"{name}-9-0123456789") <= 63 and len(f"keda-hpa-{name}") <= 63 for name in names)


class TestNodesThatGkeCreates:
    def test_their_bound_is_what_all_replicas_need_unless_it_is_given(self) -> None:
        report = next(row for row in REPORTS if row["report"] == "ai-on-gke/tutorials-and-examples autoscale")
        assert plan_of_report(report["report"]).models[0].servers[0].most_replicas == 5
        config = report["config"]
        bounded = config | {"accelerator": config["accelerator"] | {"nodes": {"max": 4}}}
        plan, findings = judged(report | {"config": bounded})
        assert plan is None
        assert [finding.id for finding in findings if finding.severity is Severity.ERROR] == ["LLMD-POOL-REPLICAS"]
