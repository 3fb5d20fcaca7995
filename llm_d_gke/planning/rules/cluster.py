"""Rules about the GKE cluster."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-GKE-VERSION",
        summary="The GKE version has no Inference Gateway.",
        why="Older versions have no GatewayClass that takes an InferencePool.",
        fix="Use a newer version, or leave it to the release channel; upgrade a cluster that exists.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway",
    ),
    Rule(
        "LLMD-GKE-VERSION-ACCELERATOR",
        summary="The GKE version does not support the accelerator.",
        why="GKE supports each accelerator from a certain version on.",
        fix="Use that version or a newer one.",
        basis="catalog",
    ),
    Rule(
        "LLMD-AUTHORIZED-NETWORKS-EMPTY",
        summary="Access is limited to authorized networks, and the list is empty.",
        why="With an empty list nothing reaches the API server, this program included.",
        fix="List your ranges, or use `access: dns-endpoint`.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/authorized-networks",
    ),
    Rule(
        "LLMD-AUTHORIZED-NETWORKS-UNUSED",
        summary="Authorized networks are listed while the public address is off.",
        why="The list guards the public address, which `access: dns-endpoint` turns off.",
        fix="Remove the list, or use `access: authorized-networks`.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/authorized-networks",
    ),
    Rule(
        "LLMD-KMS-LOCATION",
        summary="A Cloud KMS key is in another place than the cluster.",
        why="GKE and Compute Engine use keys of the same region or, for disks, of a multi-region that contains it.",
        fix="Use a key of the cluster's region.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/encrypting-secrets",
    ),
    Rule(
        "LLMD-MAINTENANCE-WINDOW",
        summary="GKE would not take the maintenance window.",
        why="A window is 4 hours long or longer, and recurs by a rule of RFC 5545.",
        fix="Correct start, end or recurrence.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/maintenance-window",
    ),
    Rule(
        "LLMD-MAINTENANCE-HOURS",
        summary="The maintenance windows leave too few hours for upgrades.",
        why="GKE refuses windows that add up to less than 48 hours in some 32 days. Descriptions of the longer"
        " exclusions of 2026 name 92 days; whether that holds for windows is not established, so it can be"
        " acknowledged.",
        fix="Use longer windows, or more days.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/maintenance-window",
        acknowledgeable=True,
    ),
    Rule(
        "LLMD-PLATFORM-EXISTING",
        summary="The stack file names an existing controller in a cluster that the stack creates.",
        why="A cluster that the stack creates has no controllers yet.",
        fix="Remove `existing`, or use an existing cluster (`cluster.existing`).",
        basis="project",
    ),
)
