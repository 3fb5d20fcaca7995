"""Rules about KServe."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-KSERVE-ROLLOUT",
        severity="warning",
        summary="KServe needs free nodes to replace pods, and the pool has none.",
    ),
    Rule(
        "LLMD-KSERVE-LONG-NAME",
        severity="warning",
        summary="KServe shortens a long name to a hash.",
    ),
    Rule(
        "LLMD-KSERVE-TEMPLATE",
        severity="error",
        summary="KServe reads {{ as a template.",
    ),
)
