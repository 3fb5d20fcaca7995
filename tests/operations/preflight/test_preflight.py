"""Tests of the preflight run in a separate process.

Google's client libraries and Pulumi's SDK each register the Protocol Buffers file of google.rpc.Status under a name of
their own; in one process the second one fails. The program never loads both.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from llm_d_gke.catalog import load
from llm_d_gke.operations.preflight.needs import needs_of
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.planning.refusals.autoscaling import scaled
from tests.stacks import existing_cluster, plan_of


def test_the_preflight_asks_and_judges() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
    done = subprocess.run(
        [*command, "tests/operations/preflight/asked.py"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_a_stack_that_scales_in_an_existing_cluster_may_grant_a_role() -> None:
    """KEDA's operator gets one of the project; so does the account of nodes, unless it exists."""
    grant = "resourcemanager.projects.setIamPolicy"
    scaling = scaled() | existing_cluster() | {"cluster.nodeAccount": "llm-d-nodes@my-project.iam.gserviceaccount.com"}

    def may(changes: dict[str, Any]) -> bool:
        return grant in needs_of(plan_of("gpu", changes), load()).permissions

    assert may(scaling)
    assert not may(scaling | {"platform.keda.existing": True})
    assert may(existing_cluster())


def test_limits_of_google_s_load_balancers_are_a_policy_of_cloud_armor() -> None:
    """No role of networks has its permission."""
    create, limits = "compute.regionSecurityPolicies.create", {"gateway.limits.requestsPerMinute": 60}
    assert create in needs_of(plan_of("gpu", limits), load()).permissions
    assert create not in needs_of(plan_of("gpu"), load()).permissions
