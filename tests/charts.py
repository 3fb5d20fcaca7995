"""Charts of a changed stack file, regardless of its deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.planning.context import resolve_context
from llm_d_gke.planning.findings import Findings, errors_in
from llm_d_gke.planning.plan.platform import ChartPlan, PullSecretPlan
from llm_d_gke.planning.platform.helm_releases import ChartNeeds, plan_charts
from llm_d_gke.settings import StackSettings
from tests.stacks import existing_cluster, values_of

PULL_SECRET = PullSecretPlan(name="redhat-pull-secret", create=True, server="registry.redhat.io", username="me")
GATEWAY = ("llm-d-inference-scheduling", "inference-gateway")
EXISTING_CLUSTER: Mapping[str, Any] = existing_cluster()


def charts_of(
    changes: Mapping[str, Any] | None = None,
    *,
    groups: bool = False,
    kserve: bool = False,
    istio: bool = False,
    certificates: bool = False,
    scales: bool = False,
) -> tuple[ChartPlan, ...]:
    settings = StackSettings.model_validate(values_of("gpu", changes))
    findings = Findings()
    ctx = resolve_context("gpu", settings, catalog.load(), findings, transfers_kv_cache=False)
    assert ctx is not None
    needs = ChartNeeds(groups=groups, kserve=kserve, istio=istio, certificates=certificates, scales=scales)
    charts = plan_charts(ctx, needs, gateway=GATEWAY, pull_secret=PULL_SECRET)
    # A chart past its end of support is a warning that comes with the date of the run.
    assert errors_in(findings) == []
    return charts
