"""Rules about what Google Cloud answers before the first up."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PREFLIGHT-QUOTA",
        severity="either",
        summary="The project's quota is too small.",
    ),
    Rule(
        "LLMD-PREFLIGHT-PERMISSIONS",
        severity="error",
        summary="The account lacks permissions.",
    ),
    Rule(
        "LLMD-PREFLIGHT-APIS",
        severity="error",
        summary="An API is off that up cannot enable.",
    ),
    Rule(
        "LLMD-PREFLIGHT-NAME-TAKEN",
        severity="warning",
        summary="A resource of this name exists already.",
    ),
    Rule(
        "LLMD-PREFLIGHT-NOT-FOUND",
        severity="error",
        summary="A resource that the stack refers to does not exist.",
    ),
    Rule(
        "LLMD-PREFLIGHT-UNANSWERED",
        severity="warning",
        summary="Google Cloud did not answer a question.",
    ),
    Rule(
        "LLMD-PREFLIGHT-PROXY-SUBNET",
        severity="error",
        summary="The network has an active proxy-only subnet already.",
    ),
    Rule(
        "LLMD-PREFLIGHT-ZONE",
        severity="error",
        summary="Compute Engine does not offer the machine or accelerator in the zone.",
    ),
    Rule(
        "LLMD-PREFLIGHT-CIDR",
        severity="error",
        summary="The range overlaps a subnet of the network.",
    ),
)
