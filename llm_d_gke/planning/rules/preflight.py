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
        severity="error",
        summary="The account lacks permissions.",
        why="`up` would fail in the middle.",
        fix="Grant the roles named.",
    ),
    Rule(
        "LLMD-PREFLIGHT-APIS",
        severity="error",
        summary="An API is off that up cannot enable.",
        why="`up` enables APIs through an API that is off itself.",
        fix="Run the command shown.",
    ),
    Rule(
        "LLMD-PREFLIGHT-NAME-TAKEN",
        severity="warning",
        summary="A resource of this name exists already.",
        why="Google refuses a second resource of one name.",
        fix="Nothing, if this stack made it; else use another name.",
    ),
    Rule(
        "LLMD-PREFLIGHT-NOT-FOUND",
        severity="error",
        summary="A resource that the stack refers to does not exist.",
        why="The stack refers to a resource that does not exist.",
        fix="Correct the name.",
    ),
    Rule(
        "LLMD-PREFLIGHT-UNANSWERED",
        severity="warning",
        summary="Google Cloud did not answer a question.",
        why="What was not answered is not checked.",
        fix="Enable the API, or ask somebody with the role.",
    ),
    Rule(
        "LLMD-PREFLIGHT-PROXY-SUBNET",
        severity="error",
        summary="The network has an active proxy-only subnet already.",
        why="A region of a VPC has one active proxy-only subnet.",
        fix="Use the existing one.",
        source="cloud.google.com/load-balancing/docs/proxy-only-subnets",
    ),
    Rule(
        "LLMD-PREFLIGHT-ZONE",
        severity="error",
        summary="Compute Engine does not offer the machine or accelerator in the zone.",
        why="Google did not list the type in this zone for this project.",
        fix="Use another zone.",
    ),
    Rule(
        "LLMD-PREFLIGHT-CIDR",
        severity="error",
        summary="The range overlaps a subnet of the network.",
        why="Subnets of one VPC must not overlap.",
        fix="Choose a free range.",
    ),
    Rule(
        "LLMD-PREFLIGHT-SWITCH",
        severity="error",
        summary="The pool has no room for the model servers of another deployment beside the running ones.",
        why="The new servers start before the old ones stop, and would wait for nodes without an end.",
        fix="Raise `nodes.max` for the switch, or pause for one `up`.",
    ),
)
