"""Every rule that a stack can break, by its id.

A rule is in the module of its subject. To add one: a `Rule` here, a call of `ctx.findings.error` or `.warning` with
its id as the first argument, an example in tests/planning/refusals.
"""

from __future__ import annotations

from collections.abc import Mapping

from llm_d_gke.planning.rules import (
    access,
    autopilot,
    autoscaling,
    cluster,
    disaggregation,
    engine,
    engine_features,
    fleet,
    gateway,
    kserve,
    location,
    models,
    network,
    nodes,
    parallelism,
    picker,
    picker_config,
    preflight,
    routing,
    settings,
    sizing,
    stack,
    without_effect,
)
from llm_d_gke.planning.rules.rule import Rule, RuleBasis

# By subject, in the order of a stack's planning.
SUBJECTS = (
    settings,
    stack,
    location,
    cluster,
    network,
    nodes,
    autopilot,
    access,
    models,
    engine,
    engine_features,
    parallelism,
    sizing,
    autoscaling,
    disaggregation,
    picker,
    picker_config,
    gateway,
    fleet,
    routing,
    kserve,
    preflight,
    without_effect,
)

RULES: Mapping[str, Rule] = {rule.id: rule for subject in SUBJECTS for rule in subject.RULES}

__all__ = ["RULES", "SUBJECTS", "Rule", "RuleBasis"]
