"""Rules about the GKE cluster."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-GKE-VERSION",
        severity="error",
        summary="The GKE version has no Inference Gateway.",
    ),
    Rule(
        "LLMD-GKE-VERSION-ACCELERATOR",
        severity="error",
        summary="The GKE version does not support the accelerator.",
    ),
    Rule(
        "LLMD-AUTHORIZED-NETWORKS-EMPTY",
        severity="error",
        summary="The control plane admits authorized networks, and the list is empty.",
    ),
    Rule(
        "LLMD-AUTHORIZED-NETWORKS-UNUSED",
        severity="error",
        summary="Authorized networks are listed while the public address is off.",
    ),
    Rule(
        "LLMD-PLATFORM-EXISTING",
        severity="error",
        summary="A controller is said to exist in a cluster that the stack creates.",
    ),
)
