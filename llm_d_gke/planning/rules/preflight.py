"""Rules about what Google Cloud answers before the first up, and about what runs before a later one."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PREFLIGHT-QUOTA",
        severity="either",
        summary="The project's quota is too small.",
        why="Google refuses nodes beyond the quota.",
        fix="Request a larger quota, or lower `nodes.max`.",
        source="cloud.google.com/compute/resource-usage",
    ),
    Rule(
        "LLMD-PREFLIGHT-PERMISSIONS",
        summary="The account lacks permissions.",
        why="`up` would fail halfway.",
        fix="Grant the roles named.",
        basis="live",
    ),
    Rule(
        "LLMD-PREFLIGHT-APIS",
        summary="An API that `up` cannot enable is off.",
        why="`up` enables other APIs through this one, or its account lacks serviceusage.services.enable.",
        fix="Run the command shown.",
        basis="live",
    ),
    Rule(
        "LLMD-PREFLIGHT-NAME-TAKEN",
        severity="warning",
        summary="A resource of this name exists already.",
        why="Google refuses a second resource of one name.",
        fix="Nothing to do if this stack created it; otherwise use another name.",
        basis="live",
    ),
    Rule(
        "LLMD-PREFLIGHT-NOT-FOUND",
        summary="A resource that the stack refers to does not exist.",
        why="The stack refers to a resource that does not exist.",
        fix="Correct the name.",
        basis="live",
    ),
    Rule(
        "LLMD-PREFLIGHT-UNANSWERED",
        severity="warning",
        summary="Google Cloud did not answer a request.",
        why="The check that needs the answer was skipped.",
        fix="Enable the API, or use an account that has the role.",
        basis="live",
    ),
    Rule(
        "LLMD-PREFLIGHT-PROXY-SUBNET",
        summary="The network has an active proxy-only subnet already.",
        why="A region of a VPC has one active proxy-only subnet.",
        fix="Use the existing one.",
        source="cloud.google.com/load-balancing/docs/proxy-only-subnets",
    ),
    Rule(
        "LLMD-PREFLIGHT-ZONE",
        summary="Compute Engine does not offer the machine or accelerator in the zone.",
        why="Google did not list the type in this zone for this project.",
        fix="Use another zone.",
        basis="live",
    ),
    Rule(
        "LLMD-PREFLIGHT-CIDR",
        summary="The range overlaps a subnet of the network.",
        why="Subnets of one VPC must not overlap.",
        fix="Choose a free range.",
        source="cloud.google.com/vpc/docs/subnets",
    ),
    Rule(
        "LLMD-PREFLIGHT-SWITCH",
        summary="The pool has no room for new model servers beside the running ones.",
        why="The new servers start before the old ones stop, and would wait indefinitely for nodes.",
        fix="Raise `nodes.max` for the switch, or pause for one `up`.",
        basis="arithmetic",
    ),
    Rule(
        "LLMD-PREFLIGHT-DELETES",
        summary="The update would delete a kind, a volume claim, or a disk or bucket with data.",
        why="Deleting a CRD deletes all objects of its kind, and deleting a claim or a disk deletes its data.",
        fix="Undo the change that causes it, or copy the data and acknowledge this for one update.",
        source="kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions",
        acknowledgeable=True,
    ),
    Rule(
        "LLMD-PREFLIGHT-CLUSTER-BACK",
        summary="The upgrade would take the control plane back to an older minor version.",
        why="A completed upgrade to a newer minor version stays. GKE 1.33 and newer can roll one back only during a"
        " two-step upgrade, which the stack does not use.",
        fix="Keep the version, or make a new stack.",
        source="discuss.google.dev/t/introducing-two-step-control-plane-minor-upgrades-with-rollback-safety/296334",
    ),
    Rule(
        "LLMD-PREFLIGHT-KINDS-BACK",
        severity="warning",
        summary="The upgrade would take kinds back to an older version of their chart.",
        why="The API server drops fields that a kind does not have when an object is written.",
        fix="Keep a copy of the objects.",
        source="kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions",
    ),
)
