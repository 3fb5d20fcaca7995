"""Rules about settings without effect, and about names that cannot be taken."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PROJECT-PLACEHOLDER",
        severity="warning",
        summary="The project's id is one that documentation uses for an example.",
        why="A copied command leaves the project id of another project, or a placeholder.",
        fix="Use the id of your own project.",
        basis="project",
    ),
    Rule(
        "LLMD-ROUTER-UNUSED",
        severity="warning",
        summary="A stack without a model router has settings for it.",
        why="Only pattern multi-model has a model router.",
        fix="Remove `router`, or use `pattern: multi-model`.",
        basis="project",
    ),
    Rule(
        "LLMD-NAMESPACE-SYSTEM",
        summary="The namespace is one of Kubernetes' or GKE's own.",
        why="Policies, quotas and labels of the stack would hold for system pods, and `destroy` deletes the namespace.",
        fix="Use a name of your own.",
        source="kubernetes.io/docs/concepts/overview/working-with-objects/namespaces (Initial namespaces)",
    ),
    Rule(
        "LLMD-NAMESPACE-MISSING",
        summary="The namespace is said to exist, in a cluster that the stack creates.",
        why="A new cluster has Kubernetes' own namespaces only.",
        fix="Remove `namespace.existing`, or name the cluster in `cluster.existing`.",
        source="kubernetes.io/docs/concepts/overview/working-with-objects/namespaces (Initial namespaces)",
    ),
    Rule(
        "LLMD-NAMESPACE-NEW",
        severity="warning",
        summary="An object that the stack does not make is named in a namespace that the stack creates.",
        why="Secrets and volume claims belong to a namespace, and cannot be created before it.",
        fix="Create it as soon as the namespace is there, use a setting by which the stack makes it, or an existing"
        " namespace.",
        source="kubernetes.io/docs/concepts/configuration/secret (Using Secrets)",
    ),
    Rule(
        "LLMD-EXISTING-IGNORED",
        severity="warning",
        summary="A stack with an existing network or cluster has settings for a new one.",
        why="The stack does not change a network or a cluster that it did not create.",
        fix="Remove them, or remove `existing`.",
        basis="project",
    ),
    Rule(
        "LLMD-NETWORK-REGION",
        summary="The link of the existing subnet names another region than the stack's.",
        why="A node's subnet is in the node's region.",
        fix="Use a subnet of the stack's region.",
        source="cloud.google.com/vpc/docs/subnets",
    ),
    Rule(
        "LLMD-LABEL-OWN",
        summary="A label has the key of the stack's own label.",
        why="Budgets, leftovers and costs are found by the stack's label.",
        fix="Use another key.",
        basis="project",
    ),
    Rule(
        "LLMD-AUTHORIZED-NETWORKS-ALL",
        severity="warning",
        summary="An authorized network is the whole internet.",
        why="Authorized networks guard the control plane's public address, and 0.0.0.0/0 lets every address through.",
        fix="Name the ranges in use, or use `access: dns-endpoint`.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/authorized-networks",
    ),
    Rule(
        "LLMD-ADDON-ROOM",
        summary="A picker or a model router requests more than a node of the CPU pool has.",
        why="The scheduler places a pod on a node with room for all of its requests.",
        fix="Lower the request, or use a larger `cpuPool.machineType`.",
        source="cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes",
    ),
    Rule(
        "LLMD-AUTOSCALING-FIXED",
        severity="warning",
        summary="Minimum and maximum of the replicas are the same.",
        why="Between equal limits nothing can change the number of replicas.",
        fix="Raise `maximum`, or use `replicas`.",
        basis="arithmetic",
    ),
    Rule(
        "LLMD-AUTOSCALING-IDLE",
        severity="warning",
        summary="`idleSeconds` is set with a minimum above 0.",
        why="The time without requests decides when the last replica ends, which a minimum above 0 keeps.",
        fix="Remove `idleSeconds`, or set `minimum: 0`.",
        basis="project",
    ),
    Rule(
        "LLMD-PRICE-DATE",
        summary="Own prices are dated in the future.",
        why="The date says when the prices were read, and estimates are as old as their oldest price.",
        fix="Use the day on which the prices were read.",
        basis="arithmetic",
    ),
    Rule(
        "LLMD-MONITORING-INTERVAL",
        severity="warning",
        summary="An interval of metrics is set, and monitoring is off.",
        why="Nothing is scraped without monitoring.",
        fix="Set `monitoring.enabled: true`, or remove the interval.",
        basis="project",
    ),
    Rule(
        "LLMD-MIRROR-UNUSED",
        severity="warning",
        summary="A mirror is named for a registry that the stack takes nothing from.",
        why="A misspelt host mirrors nothing, and its images come from elsewhere.",
        fix="Correct the host, or remove the entry.",
        basis="project",
    ),
)
