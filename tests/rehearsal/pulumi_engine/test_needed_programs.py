"""The programs to build for a stack are known before any resource is created."""

from __future__ import annotations

import pytest

from llm_d_gke.planning import plan_raw
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.needed_programs import needed_programs
from llm_d_gke.stackfile import PROJECT_ROOT

EVERY = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "pulumi", "llm-d-inference-sim"}


@pytest.mark.parametrize(
    ("stack", "others"),
    [
        ("gpu", {"epp"}),
        ("multi-model-gpu", {"epp", "bbr"}),
        ("mixture-of-experts-tpu", {"epp", "lws"}),
        ("kserve-single-replica-gpu", {"epp", "lws", "llmisvc-v0.19.0"}),
        ("disaggregated-tpu", {"llm-d-inference-scheduler", "pd-sidecar"}),
        (
            "autoscaled-gpu",
            {"epp", "prometheus", "keda-operator", "keda-metrics-apiserver", "keda-admission-webhooks"},
        ),
    ],
)
def test_pods_sidecars_and_controllers_of_charts_count(stack: str, others: set[str]) -> None:
    configuration = load(PROJECT_ROOT, stack, {"llm-d:release": "llm-d-0.6" if "disagg" in stack else "gaie-1.5"})
    plan = plan_raw(stack, configuration.settings(), configuration.encrypted())
    programs = needed_programs(plan)
    assert set(programs) == EVERY | others
    assert len(programs) == len(set(programs))
