"""Rules about node pools."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-CPU-MACHINE-TYPE",
        severity="error",
        summary="The CPU pool's machine type is unknown or has accelerators.",
    ),
    Rule(
        "LLMD-CPU-POOL-EMPTY",
        severity="error",
        summary="The CPU pool may shrink to no node.",
    ),
    Rule(
        "LLMD-DISK-SMALL",
        severity="error",
        summary="The boot disk is too small for image, weights and caches.",
    ),
    Rule(
        "LLMD-SLICE-HOSTS",
        severity="error",
        summary="The number of nodes does not make whole TPU slices.",
    ),
    Rule(
        "LLMD-RESERVATION-PROVISIONING",
        severity="error",
        summary="This provisioning cannot use a reservation.",
    ),
    Rule(
        "LLMD-PROVISIONING-MIN",
        severity="error",
        summary="Queued and flex-start pools start at zero nodes.",
    ),
    Rule(
        "LLMD-PROVISIONING-ON-DEMAND",
        severity="warning",
        summary="The machine type is said not to be sold on demand.",
    ),
    Rule(
        "LLMD-POOL-REPLICAS",
        severity="error",
        summary="The pool has fewer nodes than the replicas need.",
    ),
    Rule("LLMD-NODES-MIN-MAX", severity="error", summary="The smallest number of nodes is above the largest."),
)
