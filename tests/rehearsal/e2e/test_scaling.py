"""Replicas follow the load: KEDA's programs, Kubernetes' autoscaler and a Prometheus, all real."""

from __future__ import annotations

import pytest

from llm_d_gke.maintenance.measure import scaling
from llm_d_gke.maintenance.measure.scaling import CHANGES, PARTS, step_of_load

from .project import Project

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

STACK = scaling.STACK


def test_a_step_of_load_adds_replicas_and_nodes_and_loses_no_request_on_the_way_back(fresh: Project) -> None:
    fresh.run("up", STACK, *CHANGES)
    done = step_of_load(fresh.paths(STACK))
    assert list(done.seconds) == list(PARTS)
    assert done.requests > 50
    assert done.unanswered == 0
    with fresh.kube(STACK) as kube:
        [scaled] = kube.list("keda.sh/v1alpha1", "ScaledObject")
    ready = {condition["type"]: condition["status"] for condition in scaled["status"]["conditions"]}
    assert ready["Ready"] == "True"
    assert fresh.verified(STACK, *CHANGES) >= {"engine-metrics", "scrapes"}
    fresh.run("down", STACK)
    assert fresh.leftovers(STACK) == []
