"""Derives a plan from settings and catalog. Pure functions, no Pulumi."""

from planning.findings import Finding, RefusedError
from planning.plan.stack import StackPlan
from planning.planner import plan, plan_raw

__all__ = ["Finding", "RefusedError", "StackPlan", "plan", "plan_raw"]
