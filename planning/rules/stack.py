"""Rules about the whole stack: release, project, pattern, names in requests."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-RELEASE-UNKNOWN",
        severity="error",
        summary="The release is not one of the catalog's.",
    ),
    Rule(
        "LLMD-RELEASE-ACCELERATOR",
        severity="error",
        summary="The release has no engine image for the accelerator.",
    ),
    Rule(
        "LLMD-RELEASE-UNPROVEN",
        severity="warning",
        summary="Parts of the release were not compared with their sources, or never ran.",
    ),
    Rule(
        "LLMD-CHART-SUPPORT",
        severity="warning",
        summary="Upstream no longer supports a chart of the platform.",
        source="catalog/support.yaml",
    ),
    Rule(
        "LLMD-PROJECT-MISSING",
        severity="error",
        summary="The stack names no Google Cloud project.",
    ),
    Rule(
        "LLMD-RELEASE-SUPPORT",
        severity="warning",
        summary="The release's vendor does not list GKE.",
    ),
    Rule(
        "LLMD-PATTERN-ONE-MODEL",
        severity="error",
        summary="The pattern serves one model.",
    ),
    Rule(
        "LLMD-PATTERN-EXPERTS",
        severity="error",
        summary="The pattern needs a mixture of experts.",
    ),
    Rule(
        "LLMD-PATTERN-TWO-MODELS",
        severity="error",
        summary="multi-model needs two or more models.",
    ),
    Rule(
        "LLMD-PATTERN-GATEWAY",
        severity="error",
        summary="multi-model needs Google's load balancer.",
    ),
    Rule(
        "LLMD-PATTERN-PREFIX-SCORER",
        severity="error",
        summary="prefix-cache needs a weight for prefix matches.",
    ),
    Rule(
        "LLMD-PREFILL-UNUSED",
        severity="error",
        summary="Prefill servers are given for a pattern that has none.",
    ),
    Rule(
        "LLMD-NAME-TWICE",
        severity="error",
        summary="Two models answer to one name.",
    ),
    Rule(
        "LLMD-NAME-HEADER",
        severity="error",
        summary="A name cannot stand in a header.",
    ),
    Rule(
        "LLMD-PATTERN-PREFIX-REPLICAS",
        severity="error",
        summary="prefix-cache needs two or more replicas.",
    ),
    Rule(
        "LLMD-PREFILL-MISSING",
        severity="error",
        summary="disaggregated needs prefill servers.",
    ),
    Rule(
        "LLMD-DECODE-MISSING",
        severity="error",
        summary="disaggregated needs decode servers.",
    ),
    Rule("LLMD-PROJECT-FORM", severity="error", summary="The value cannot be a Google Cloud project id."),
    Rule("LLMD-ACKNOWLEDGE-UNKNOWN", severity="error", summary="An acknowledgement names a rule that does not exist."),
    Rule("LLMD-ACKNOWLEDGE-ERROR", severity="error", summary="An acknowledgement names a rule that is an error here."),
    Rule("LLMD-ACKNOWLEDGE-TWICE", severity="error", summary="A rule is acknowledged twice."),
    Rule("LLMD-ACKNOWLEDGE-UNUSED", severity="warning", summary="An acknowledgement matches no warning."),
)
