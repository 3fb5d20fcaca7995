"""Rules about the endpoint picker's settings."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PICKER-LEADERLESS",
        severity="error",
        summary="Several active pickers use plugins that know only their own requests.",
    ),
    Rule(
        "LLMD-PREFIX-CACHING-OFF",
        severity="error",
        summary="The picker scores prefix matches, and the engine keeps no prefixes.",
    ),
    Rule(
        "LLMD-PICKER-FAILOVER",
        severity="warning",
        summary="With failureMode close, requests are refused while pickers change leaders.",
    ),
    Rule(
        "LLMD-SCORER-WHOLE",
        severity="error",
        summary="The picker takes whole weights only.",
    ),
    Rule(
        "LLMD-SCORER-NONE",
        severity="error",
        summary="No scorer has a weight.",
    ),
    Rule(
        "LLMD-SCORER-PREFIX-ONLY",
        severity="warning",
        summary="Prefix matches are the only score.",
    ),
    Rule(
        "LLMD-KV-EVENTS-RELEASE",
        severity="error",
        summary="The release's picker cannot follow KV events.",
    ),
    Rule(
        "LLMD-KV-EVENTS-KSERVE",
        severity="error",
        summary="Precise prefix routing needs a tokenizer service that KServe does not create.",
    ),
    Rule(
        "LLMD-KV-EVENTS-RANKS",
        severity="error",
        summary="The picker follows KV events of one rank in a pod only.",
    ),
    Rule(
        "LLMD-KV-EVENTS-ALIASES",
        severity="warning",
        summary="Precise prefix routing does not know aliases.",
    ),
    Rule(
        "LLMD-PICKER-FAIL-OPEN",
        severity="warning",
        summary="failureMode open does not answer every request while a picker is gone.",
    ),
)
