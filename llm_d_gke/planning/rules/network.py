"""Rules about the network and its ranges."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-RANGE-TWICE",
        summary="Pods and services have the same secondary range.",
        why="A VPC-native cluster has one range for pods and another for services.",
        fix="Name the subnet's range for services.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/alias-ips",
    ),
    Rule(
        "LLMD-CIDR-PRIVATE",
        summary="The range is not private.",
        why="Google does not route public addresses of others inside a VPC by default.",
        fix="Use a private range.",
        source="cloud.google.com/vpc/docs/subnets",
    ),
    Rule(
        "LLMD-CIDR-SMALL",
        summary="The range is smaller than Google accepts.",
        why="GKE and load balancers refuse smaller ranges.",
        fix="Use the mask that the message names.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/alias-ips;"
        " cloud.google.com/load-balancing/docs/proxy-only-subnets",
    ),
    Rule(
        "LLMD-CIDR-OVERLAP",
        summary="Two ranges overlap.",
        why="Ranges of one VPC must not overlap.",
        fix="Choose ranges without common addresses.",
        source="cloud.google.com/vpc/docs/subnets",
    ),
    Rule(
        "LLMD-CIDR-NODES",
        summary="The range is too small for the largest number of nodes.",
        why="Each node takes an address, and a /24 for its pods.",
        fix="Use a larger range, or fewer nodes.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr",
    ),
    Rule(
        "LLMD-CIDR-AUTO-MODE",
        summary="The range collides with an auto-mode VPC's own ranges.",
        why="An auto-mode VPC has subnets of 10.128.0.0/9 in every region.",
        fix="Use a range outside of it.",
        source="cloud.google.com/vpc/docs/subnets",
    ),
    Rule(
        "LLMD-PROXY-RANGE-UNKNOWN",
        summary="The range of the existing proxy-only subnet is not given.",
        why="Network policies admit the load balancer's proxies by their range, which an existing subnet does not"
        " tell.",
        fix="Set `network.proxyCidr` to the subnet's range.",
        source="cloud.google.com/load-balancing/docs/proxy-only-subnets",
    ),
    Rule(
        "LLMD-NETWORK-POLICIES-KEPT",
        severity="warning",
        summary="An existing cluster may not enforce network policies.",
        why="Kubernetes stores policies also where nothing enforces them.",
        fix="Check that the cluster has Dataplane V2.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/network-policy",
    ),
    Rule(
        "LLMD-NETWORK-OF-CLUSTER",
        summary="An existing cluster is in a network that the stack file does not name.",
        why="The load balancer of a Gateway is built in the VPC of its cluster; in another VPC it gets no address.",
        fix="Name the cluster's network below network.existing.",
        basis="project",
    ),
    Rule(
        "LLMD-NETWORK-NAT",
        severity="warning",
        summary="Private nodes in an existing network may have no way to pull images.",
        why="The stack creates Cloud NAT only in a network that it creates.",
        fix="Check that the subnet has Cloud NAT, then set network.existing.nat: true.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/private-clusters",
    ),
    Rule(
        "LLMD-NODES-PUBLIC",
        severity="warning",
        summary="Nodes get addresses on the internet.",
        why="A node with an external address is reachable wherever a firewall rule lets it be.",
        fix="Keep nodes private, with Cloud NAT for what they pull.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/hardening-your-cluster",
    ),
    Rule(
        "LLMD-CIDR-DOCKER",
        severity="warning",
        summary="The range overlaps Docker's default bridge network.",
        why="Some products use 172.17.0.0/16 inside of a machine, as Docker's default bridge does; they cannot"
        " reach it in the VPC.",
        fix="Use another range.",
        source="cloud.google.com/vpc/docs/subnets",
    ),
    Rule(
        "LLMD-NETWORK-PROJECTS",
        summary="Links of an existing network and its subnets name different projects.",
        why="A subnet is in the project of its network.",
        fix="Use names and links of one project.",
        source="cloud.google.com/vpc/docs/shared-vpc",
    ),
)
