"""Rules about GKE Autopilot."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-AUTOPILOT-LOCATION",
        summary="An Autopilot cluster in a zone.",
        why="GKE has Autopilot in regions only.",
        fix="Use the region, and `accelerator.zones` to keep nodes in a zone.",
        source="docs.cloud.google.com/kubernetes-engine/docs/concepts/autopilot-overview",
    ),
    Rule(
        "LLMD-AUTOPILOT-ACCELERATOR",
        summary="Google does not list the GPU for Autopilot.",
        why="Autopilot rejects pods that request a type it does not have.",
        fix="Use a listed type, or a Standard cluster.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/autopilot-gpus",
    ),
    Rule(
        "LLMD-AUTOPILOT-COUNT",
        summary="Autopilot has no node with this number of GPUs.",
        why="Autopilot rejects pods that request a number that the type does not come in.",
        fix="Use a number of the list, or a Standard cluster.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/autopilot-gpus",
    ),
    Rule(
        "LLMD-AUTOPILOT-VERSION",
        summary="The GKE version is too old for the GPU on Autopilot.",
        why="Autopilot gets a GPU type with a certain version.",
        fix="Use that version or a newer one.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/autopilot-gpus",
    ),
    Rule(
        "LLMD-AUTOPILOT-HOSTS",
        summary="Slices of several hosts, or nodes with RDMA networks, on Autopilot.",
        why="This project plans their networks with node pools only, and Autopilot refuses privileged containers.",
        fix="Use a Standard cluster, or accelerators of one host without RDMA.",
        source="docs.cloud.google.com/kubernetes-engine/docs/concepts/autopilot-security",
    ),
    Rule(
        "LLMD-AUTOPILOT-POOL",
        summary="A setting of node pools on Autopilot.",
        why="GKE creates and deletes the nodes; the stack has no node pools.",
        fix="Remove the setting.",
        source="docs.cloud.google.com/kubernetes-engine/docs/concepts/autopilot-overview",
    ),
    Rule(
        "LLMD-AUTOPILOT-CLASS",
        summary="A setting of nodes that a pod cannot select.",
        why="Pods select type and number of GPUs, driver, spot and one zone; the rest is stated by a compute class.",
        fix="Add `accelerator.computeClass`, or remove the setting.",
        source="docs.cloud.google.com/kubernetes-engine/docs/how-to/autopilot-gpus",
    ),
    Rule(
        "LLMD-AUTOPILOT-STORAGE",
        severity="warning",
        summary="Large weights on a disk whose size Autopilot chooses.",
        why="The most storage of a pod depends on type and number of its GPUs, and the catalog lacks the figures.",
        fix="Add `accelerator.computeClass`, which sets the disk, or read the weights from a bucket.",
        basis="unestablished",
    ),
    Rule(
        "LLMD-AUTOPILOT-CLUSTER",
        summary="A setting of clusters that Autopilot does not have.",
        why="Autopilot decides it, and the provider or GKE refuses the setting.",
        fix="Remove it.",
        source="github.com/hashicorp/terraform-provider-google at e03b7622,"
        " google/services/container/resource_container_cluster.go",
    ),
)
