"""Rules about several clusters behind one Gateway."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-FLEET-FEATURE",
        summary="A setting that does not go with a fleet.",
        why="This project plans multi-cluster Gateways inside the VPC, with one pool in each cluster"
        " and no checks of clients.",
        fix="Remove the setting, or `fleet`.",
        basis="project",
    ),
    Rule(
        "LLMD-FLEET-VERSION",
        summary="The GKE version has no multi-cluster Inference Gateway.",
        why="Older versions do not export InferencePools.",
        fix="Use a newer version.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway",
    ),
    Rule(
        "LLMD-FLEET-REGION",
        summary="The fleet's list of proxy ranges lacks the region of this cluster.",
        why="The Gateway has proxies in the region of each cluster, and servers let them in by their ranges.",
        fix="Add the region, in every stack of the fleet.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway",
    ),
    Rule(
        "LLMD-FLEET-RANGE",
        summary="Proxy ranges of a fleet that contradict each other.",
        why="All proxy-only subnets are in one VPC, and each cluster lets in the ranges of the list.",
        fix="Use the same list of separate ranges in every stack.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway",
    ),
    Rule(
        "LLMD-FLEET-NETWORK",
        summary="A member of a fleet would create a separate VPC.",
        why="Clusters and Gateway are in one VPC.",
        fix="Name the config cluster's network in `network.existing`.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway",
    ),
    Rule(
        "LLMD-FLEET-NAMESPACE",
        summary="An existing cluster in a fleet without a namespace.",
        why="Pools of the same name in the same namespace are one backend.",
        fix="Set `namespace.name` to the same value in every stack.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/setup-multicluster-inference-gateway",
    ),
)
