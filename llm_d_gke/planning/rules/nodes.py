"""Rules about node pools."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

_CLASSES = "cloud.google.com/kubernetes-engine/docs/concepts/about-custom-compute-classes"

RULES = (
    Rule(
        "LLMD-COMPUTE-CLASS-MACHINE",
        severity="error",
        summary="A fallback of the compute class has another accelerator.",
        why="Memory, parallelism and arguments of the pods are planned for one accelerator.",
        fix="Use a machine type with the accelerator of the stack.",
        basis="catalog",
    ),
    Rule(
        "LLMD-COMPUTE-CLASS-SMALLER",
        severity="error",
        summary="A fallback of the compute class is smaller than the nodes that pods are planned for.",
        why="The pods' requests would fit on none of its nodes, so they would wait indefinitely. A TPU pod takes all"
        " chips of a node.",
        fix="Use a machine type that is at least as large, or plan for the smaller one.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/tpus",
    ),
    Rule(
        "LLMD-COMPUTE-CLASS-HOSTS",
        severity="error",
        summary="A compute class for slices of several hosts or for nodes with RDMA networks.",
        why="This project plans their networks and slices with node pools only.",
        fix="Remove `computeClass`, or use single-host machines without RDMA.",
        basis="project",
    ),
    Rule(
        "LLMD-COMPUTE-CLASS-PROVISIONING",
        severity="error",
        summary="A compute class with queued or reserved nodes.",
        why="This project plans on-demand, spot and flex-start nodes in a compute class.",
        fix="Remove `computeClass`, or buy the nodes in one of these ways.",
        basis="project",
    ),
    Rule(
        "LLMD-COMPUTE-CLASS-MIN",
        severity="error",
        summary="A minimum of nodes in a compute class.",
        why="GKE deletes the node pools that it created when they are empty.",
        fix="Use `nodes.min: 0`, or remove `computeClass`.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/node-auto-provisioning",
    ),
    Rule(
        "LLMD-COMPUTE-CLASS-REPEATED",
        severity="error",
        summary="Two choices of the compute class are the same.",
        why="GKE tries the choices in order, so it would never use the later one.",
        fix="Remove it, or change its machine type or provisioning.",
        source=_CLASSES,
    ),
    Rule(
        "LLMD-COMPUTE-CLASS-MIGRATION",
        severity="warning",
        summary="Active migration without fallbacks.",
        why="Pods move to an earlier choice, and there is none.",
        fix="Name fallbacks, or remove `activeMigration`.",
        source=_CLASSES,
    ),
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
        why="Spot VMs cannot consume a reservation, and Dynamic Workload Scheduler has capacity of its own.",
        fix="Remove one of the two.",
        source="cloud.google.com/compute/docs/instances/reservations-consume (limitations)",
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
