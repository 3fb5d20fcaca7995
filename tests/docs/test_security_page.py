"""The Gateway of docs/security.md is open as the page says, and the page says what the plan warns about."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.catalog.release import IstioCharts
from llm_d_gke.planning import StackPlan, plan_raw
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.stacks import ENCRYPTED, values_of

TEXT = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.fixture
def plan() -> StackPlan:
    [block] = [part.partition("```")[0] for part in TEXT.split("```yaml\n")[1:] if part.startswith("llm-d:gateway:")]
    values: dict[str, Any] = values_of("gpu")
    del values["acknowledge"]
    values["gateway"] = parse_yaml(block)["llm-d:gateway"]
    values["apiKeys"] = {"search-team.2026": "0123456789abcdef0123456789abcdef"}
    return plan_raw("gpu", values, ENCRYPTED)


def test_the_gateway_of_the_page_is_open_and_guarded(plan: StackPlan) -> None:
    assert plan.gateway.hostname == "llm.example.com"
    assert plan.gateway.external
    assert not {"LLMD-GATEWAY-OPEN", "LLMD-TLS-NONE"} & {warning.id for warning in plan.warnings}


def test_the_page_states_the_support_of_every_releases_istio(plan: StackPlan) -> None:
    [warning] = [warning for warning in plan.warnings if warning.id == "LLMD-CHART-SUPPORT"]
    assert warning.id in TEXT
    versions = {
        release.charts.istio.control_plane.version
        for release in catalog.load().releases.values()
        if isinstance(release.charts.istio, IstioCharts)
    }
    assert versions == {warning.value}
    assert f"installs {warning.value}, whose support ended on 2026-10-18" in " ".join(TEXT.split())
    assert "ended the support of this version on 2026-10-18" in warning.rule


def test_the_page_counts_the_models_with_a_commit() -> None:
    pinned = [model for model in catalog.load().models.values() if model.revision is not None]
    assert f"{len(pinned)} models have a commit in the catalog" in TEXT
