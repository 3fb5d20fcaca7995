"""Rules about prefill and decode on separate servers."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PD-LOAD",
        severity="warning",
        summary="No number of prefill and decode servers serves the stated load.",
    ),
    Rule(
        "LLMD-PD-REPLICAS",
        severity="warning",
        summary="The stated load takes more prefill or decode servers.",
    ),
    Rule(
        "LLMD-PD-TP-MATCH",
        severity="error",
        summary="The tensor parallel sizes of prefill and decode do not fit each other.",
    ),
    Rule(
        "LLMD-PD-ACCELERATOR-KINDS",
        severity="error",
        summary="Prefill and decode are on accelerators that cannot exchange KV caches.",
    ),
    Rule(
        "LLMD-PD-ACCELERATORS-DIFFER",
        severity="warning",
        summary="Prefill and decode are on different accelerators.",
    ),
    Rule(
        "LLMD-PD-RELEASE",
        severity="error",
        summary="The release cannot disaggregate prefill and decode.",
    ),
    Rule(
        "LLMD-PD-FAILURE-MODE",
        severity="warning",
        summary="With failureMode open, prefill servers get requests meant for decode servers.",
    ),
    Rule(
        "LLMD-PD-PREFIX-SCORER",
        severity="error",
        summary="Disaggregation decides by cached prefixes, and no scorer looks for them.",
    ),
    Rule(
        "LLMD-PD-WORTH",
        severity="warning",
        summary="Disaggregation is estimated to be slower than replicas that do both.",
    ),
    Rule(
        "LLMD-PD-RELEASE-WITHDRAWN",
        severity="warning",
        summary="Upstream removed images that the release's disaggregation needs.",
    ),
    Rule(
        "LLMD-PD-RANKS",
        severity="error",
        summary="Prefill and decode servers have one rank and one pipeline stage.",
    ),
    Rule(
        "LLMD-PD-ONE-HOST",
        severity="error",
        summary="A prefill or decode server does not fit on one host.",
    ),
    Rule(
        "LLMD-PD-SHORT",
        severity="warning",
        summary="Prompts are too short for disaggregation to pay.",
    ),
)
