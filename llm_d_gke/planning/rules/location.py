"""Rules about accelerators, machine types and zones."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-ZONE-TWICE",
        summary="A zone of the pool is listed twice.",
        why="A node pool's locations are a set of zones.",
        fix="List each zone once.",
        source="cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters.nodePools",
    ),
    Rule(
        "LLMD-ACCELERATOR-UNKNOWN",
        summary="The accelerator is not one of the catalog's.",
        why="Memory, kernels, prices and zones of an accelerator come from llm_d_gke/catalog/accelerators.yaml.",
        fix="Use an accelerator of the catalog, or add one.",
        basis="catalog",
    ),
    Rule(
        "LLMD-MACHINE-TYPE",
        summary="The machine type does not come with this accelerator.",
        why="Compute Engine combines accelerators with certain machine types only.",
        fix="Use a machine type of the list.",
        source="cloud.google.com/compute/docs/gpus",
    ),
    Rule(
        "LLMD-TOPOLOGY-GPU",
        summary="A slice topology is given for a GPU.",
        why="Only TPU slices have a topology.",
        fix="Remove `topology`.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus",
    ),
    Rule(
        "LLMD-PER-NODE",
        summary="The machine type cannot have this number of accelerators.",
        why="N1 machines take certain numbers of GPUs, other machines come with a fixed one.",
        fix="Use a number of the list, or another machine type.",
        source="cloud.google.com/compute/docs/gpus",
    ),
    Rule(
        "LLMD-ZONE-OFFERS",
        severity="either",
        summary="The accelerator is not offered in the zone.",
        why="A node pool in a zone without the accelerator never gets a node.",
        fix="Use one of the zones named; the nearest come first.",
        source="cloud.google.com/compute/docs/regions-zones",
    ),
    Rule(
        "LLMD-TOPOLOGY",
        summary="The TPU machine type has no slice of this topology.",
        why="A TPU machine type comes in slices of certain shapes.",
        fix="Use a topology of the list.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus",
    ),
    Rule(
        "LLMD-PER-NODE-TPU",
        summary="The number of chips on a TPU node follows from its machine type.",
        why="The number of chips on a TPU node is part of its machine type.",
        fix="Remove `perNode`, or use another machine type.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/plan-tpus",
    ),
    Rule(
        "LLMD-ZONE-REGION",
        summary="A zone of the accelerator pool lies outside the stack's region.",
        why="A cluster's nodes are in the region of its control plane.",
        fix="Use zones of the stack's region.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/regional-clusters",
    ),
    Rule(
        "LLMD-ZONE-CLUSTER",
        summary="A zonal cluster has nodes in its own zone only.",
        why="A zonal cluster has its nodes in its own zone.",
        fix="Set `location` to the region, or remove the zone.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/regional-clusters",
    ),
)
