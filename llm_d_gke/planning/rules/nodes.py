"""Rules about node pools."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-CPU-MACHINE-TYPE",
        severity="error",
        summary="The CPU pool's machine type is unknown or has accelerators.",
        why="Pickers and system pods must not occupy nodes with accelerators.",
        fix="Use a machine type of the list.",
        basis="catalog",
    ),
    Rule(
        "LLMD-CPU-POOL-EMPTY",
        severity="error",
        summary="The CPU pool may shrink to no node.",
        why="Accelerator nodes are tainted, so other pods need at least one CPU node.",
        fix="Use `cpuPool.nodes.min: 1` or more.",
        source="kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration;"
        " cloud.google.com/kubernetes-engine/docs/how-to/gpus",
    ),
    Rule(
        "LLMD-DISK-SMALL",
        severity="error",
        summary="The boot disk is too small for image, weights and caches.",
        why="Image, weights and caches share the boot disk; a full one evicts pods.",
        fix="Use the size named, or remove `diskGib`.",
        source="kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction",
    ),
    Rule(
        "LLMD-SLICE-HOSTS",
        severity="error",
        summary="The number of nodes does not make whole TPU slices.",
        why="GKE creates and deletes a multi-host TPU slice as a whole.",
        fix="Use multiples of its number of hosts.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/tpus",
    ),
    Rule(
        "LLMD-RESERVATION-PROVISIONING",
        severity="error",
        summary="This provisioning cannot use a reservation.",
        why="Spot and Dynamic Workload Scheduler do not take nodes from a reservation.",
        fix="Remove one of the two.",
        source="cloud.google.com/compute/docs/instances/reservations-overview",
    ),
    Rule(
        "LLMD-PROVISIONING-MIN",
        severity="error",
        summary="Queued and flex-start pools start at zero nodes.",
        why="Such nodes come when pods wait for them.",
        fix="Use `nodes.min: 0`.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/dws",
    ),
    Rule(
        "LLMD-PROVISIONING-ON-DEMAND",
        severity="warning",
        summary="The machine type is not sold on demand, according to the catalog.",
        why="Google sells the machine type as spot, flex-start or reservation only.",
        fix="Use one of these.",
        basis="catalog",
    ),
    Rule(
        "LLMD-POOL-REPLICAS",
        severity="error",
        summary="The pool has fewer nodes than the replicas need.",
        why="Replicas without a node wait forever, and `up` waits with them.",
        fix="Raise `accelerator.nodes.max`, or use fewer replicas.",
        basis="arithmetic",
    ),
    Rule(
        "LLMD-NODES-MIN-MAX",
        severity="error",
        summary="The smallest number of nodes is above the largest.",
        why="A pool's smallest size cannot be above its largest.",
        fix="Correct one of the two.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/cluster-autoscaler",
    ),
)
