"""Rules about accelerators, machine types and zones."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-ACCELERATOR-UNKNOWN",
        severity="error",
        summary="The accelerator is not one of the catalog's.",
    ),
    Rule(
        "LLMD-MACHINE-TYPE",
        severity="error",
        summary="The machine type does not come with this accelerator.",
    ),
    Rule(
        "LLMD-TOPOLOGY-GPU",
        severity="error",
        summary="A slice topology is given for a GPU.",
    ),
    Rule(
        "LLMD-PER-NODE",
        severity="error",
        summary="The machine type cannot have this number of accelerators.",
    ),
    Rule(
        "LLMD-ZONE-OFFERS",
        severity="either",
        summary="The accelerator is not offered in the zone.",
    ),
    Rule(
        "LLMD-TOPOLOGY",
        severity="error",
        summary="The TPU machine type has no slice of this topology.",
    ),
    Rule(
        "LLMD-PER-NODE-TPU",
        severity="error",
        summary="The number of chips on a TPU node follows from its machine type.",
    ),
    Rule(
        "LLMD-ZONE-REGION",
        severity="error",
        summary="A zone of the accelerator pool lies outside the stack's region.",
    ),
    Rule(
        "LLMD-ZONE-CLUSTER",
        severity="error",
        summary="A zonal cluster has nodes in its own zone only.",
    ),
)
