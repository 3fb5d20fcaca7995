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
    Rule(
        "LLMD-NETWORK-OF-CLUSTER",
        severity="error",
        summary="An existing cluster is in a network that the stack file does not name.",
        why="The load balancer of a Gateway is built in the VPC of its cluster; in another VPC it gets no address.",
        fix="Name the cluster's network below network.existing.",
    ),
    Rule(
        "LLMD-NETWORK-NAT",
        severity="warning",
        summary="Private nodes in an existing network may have no way to pull images.",
        why="The stack creates Cloud NAT only in a network of its own.",
        fix="Check that the subnet has Cloud NAT, then set network.existing.nat: true.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/private-clusters",
    ),
    Rule("LLMD-CIDR-DOCKER", severity="warning", summary="The range is that of Docker's bridge."),
    Rule(
        "LLMD-NETWORK-PROJECTS",
        severity="error",
        summary="Links of an existing network and its subnets name different projects.",
    ),
)
