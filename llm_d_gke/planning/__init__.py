"""Derives a plan from settings and catalog. Pure functions, no Pulumi."""

from llm_d_gke.planning.findings import Finding, RefusedError
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.planner import plan, plan_config, plan_raw, plan_stack

__all__ = ["Finding", "RefusedError", "StackPlan", "plan", "plan_config", "plan_raw", "plan_stack"]
