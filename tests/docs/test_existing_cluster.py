"""The page about an existing cluster holds one whole stack file, which has a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.planning import StackPlan, plan_raw
from llm_d_gke.stackfile import PROJECT_ROOT, load

PAGE = PROJECT_ROOT / "docs" / "existing-cluster.md"


@pytest.fixture
def plan(tmp_path: Path) -> StackPlan:
    """The plan of the page's stack file; it raises RefusedError where one key is wrong."""
    [block] = [part.partition("```")[0] for part in PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    (tmp_path / "Pulumi.team.yaml").write_text(block, encoding="utf-8")
    return plan_raw("team", load(tmp_path, "team").settings())


def test_the_stack_file_of_the_page_uses_what_exists(plan: StackPlan) -> None:
    assert (plan.project, plan.network.project) == ("my-service-project", "my-host-project")
    assert (plan.cluster.create, plan.cluster.name) == (False, "shared")
    assert (plan.network.create, plan.network.create_nat, plan.network.create_proxy_subnet) == (False, False, False)
    assert plan.network.network == "shared-vpc"
    assert plan.network.proxy_subnet == "proxies-us-central1"


def test_its_warnings_are_about_what_a_plan_cannot_see(plan: StackPlan) -> None:
    ids = {warning.id for warning in plan.warnings}
    assert "LLMD-NETWORK-POLICIES-KEPT" in ids
    assert not {finding for finding in ids if finding.startswith(("LLMD-SETTING", "LLMD-CIDR", "LLMD-NETWORK-NAT"))}


@pytest.mark.parametrize("role", ["compute.networkUser", "container.hostServiceAgentUser", "compute.securityAdmin"])
def test_the_page_names_the_roles_of_the_host_project(role: str) -> None:
    assert f"`roles/{role}`" in PAGE.read_text(encoding="utf-8")
