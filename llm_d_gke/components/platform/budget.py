"""The budget of Cloud Billing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.components.instance import named
from llm_d_gke.planning.plan.platform import BudgetPlan


def billing_budget(
    plan: BudgetPlan, services: Sequence[pulumi.Resource], opts: pulumi.ResourceOptions
) -> gcp.billing.Budget:
    """Create a monthly budget over the resources with the stack's label."""
    key, value = plan.label
    return gcp.billing.Budget(
        named("budget", opts),
        billing_account=plan.billing_account,
        display_name=plan.title,
        budget_filter={
            "projects": [f"projects/{plan.project}"],
            "labels": {key: value},
            "calendar_period": "MONTH",
        },
        amount={"specified_amount": {"currency_code": "USD", "units": str(math.ceil(plan.monthly_usd))}},
        threshold_rules=[{"threshold_percent": share} for share in plan.notify_at],
        all_updates_rule={"monitoring_notification_channels": list(plan.notification_channels)}
        if plan.notification_channels
        else None,
        opts=pulumi.ResourceOptions.merge(
            opts,
            # The API answers with the project's number, which would show as a change.
            pulumi.ResourceOptions(depends_on=list(services), ignore_changes=["budgetFilter.projects"]),
        ),
    )
