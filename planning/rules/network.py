"""Rules about the network and its ranges."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-CIDR-PRIVATE",
        severity="error",
        summary="The range is not private.",
    ),
    Rule(
        "LLMD-CIDR-SMALL",
        severity="error",
        summary="The range is smaller than Google accepts.",
    ),
    Rule(
        "LLMD-CIDR-OVERLAP",
        severity="error",
        summary="Two ranges overlap.",
    ),
    Rule(
        "LLMD-CIDR-NODES",
        severity="error",
        summary="The range is too small for the largest number of nodes.",
    ),
    Rule(
        "LLMD-CIDR-AUTO-MODE",
        severity="error",
        summary="The range collides with an auto-mode VPC's own ranges.",
    ),
    Rule(
        "LLMD-PROXY-RANGE-UNKNOWN",
        severity="error",
        summary="The range of the existing proxy-only subnet is not given.",
    ),
    Rule(
        "LLMD-NETWORK-POLICIES-KEPT",
        severity="warning",
        summary="An existing cluster may not enforce network policies.",
    ),
)
