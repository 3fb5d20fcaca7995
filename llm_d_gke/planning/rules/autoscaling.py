"""Rules about replicas that follow the load."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-AUTOSCALING-REPLICAS",
        summary="A model has a fixed number of replicas and autoscaling.",
        why="The autoscaler changes the number, so a fixed one would be undone.",
        fix="Keep one of `replicas` and `autoscaling`.",
        source="kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale",
    ),
    Rule(
        "LLMD-AUTOSCALING-LIMITS",
        summary="The minimum number of replicas is above the maximum.",
        why="No number of replicas satisfies both limits.",
        fix="Lower `minimum`, or raise `maximum`.",
        basis="arithmetic",
    ),
    Rule(
        "LLMD-AUTOSCALING-TARGET",
        summary="Autoscaling has no target.",
        why="Without a target the autoscaler cannot tell when a replica is overloaded.",
        fix="Set one of `requestsPerReplica`, `queuePerReplica`, `kvCache` and `timeToFirstTokenMs`.",
        basis="project",
    ),
    Rule(
        "LLMD-AUTOSCALING-WINDOW",
        summary="A time window is empty, or its number of replicas is outside the limits.",
        why="KEDA's HorizontalPodAutoscaler takes the largest number of all triggers: a window can raise the minimum,"
        " not lower it.",
        fix="Use a number above `minimum` and up to `maximum`, and another end.",
        source="kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale (multiple metrics)",
    ),
    Rule(
        "LLMD-CRON-FORM",
        summary="A start or end is not a cron line.",
        why="KEDA reads lines of five fields and refuses others when the ScaledObject is created.",
        fix="Write minute, hour, day of the month, month and day of the week.",
        source="keda.sh/docs/2.17/scalers/cron",
    ),
    Rule(
        "LLMD-TIME-ZONE",
        summary="The time zone database has no such zone.",
        why="KEDA loads the zone by its IANA name.",
        fix="Use an IANA name.",
        source="keda.sh/docs/2.17/scalers/cron",
    ),
    Rule(
        "LLMD-AUTOSCALING-MONITORING",
        summary="Autoscaling needs metrics, and monitoring is off.",
        why="KEDA reads Managed Service for Prometheus, which has no metrics with `monitoring.enabled: false`.",
        fix="Set `monitoring.enabled: true`.",
        source="keda.sh/docs/2.20/scalers/prometheus",
    ),
    Rule(
        "LLMD-AUTOSCALING-ZERO",
        severity="warning",
        summary="Without requests no replica runs, and the next request waits or fails.",
        why="A start takes a node, the image and the weights: minutes, in which requests get 503, or wait in the picker"
        " where it has flow control.",
        fix="Use `minimum: 1`, add a window for the hours of use, or acknowledge it.",
        source="llm-d/llm-d guides/workload-autoscaling",
    ),
    Rule(
        "LLMD-AUTOSCALING-STAGE",
        summary="Decode servers are scaled by the time to first token, which depends on prefill servers.",
        why="In disaggregated serving prefill servers compute the prompt.",
        fix="Move the target to `prefill.autoscaling`.",
        source="llm-d.ai/docs/guides/pd-disaggregation",
    ),
    Rule(
        "LLMD-AUTOSCALING-ZERO-STAGE",
        summary="One stage of disaggregated serving may scale to zero.",
        why="Neither stage serves requests without the other, and the remaining one keeps its accelerators.",
        fix="Use a minimum of 1 or more for both stages.",
        basis="project",
    ),
    Rule(
        "LLMD-AUTOSCALING-SHARED",
        severity="warning",
        summary="The pool cannot hold all models at their maximum at once.",
        why="The scheduler does not rank models: the first pending pods get the next node.",
        fix="Raise `accelerator.nodes.max`, or give the important model a higher minimum.",
        basis="arithmetic",
    ),
    Rule(
        "LLMD-AUTOSCALING-KSERVE",
        summary="The release's KServe does not leave replicas to an autoscaler.",
        why="Up to v0.17 KServe writes the number of replicas of its Deployments whenever it reconciles them.",
        fix="Use another release, or `deployment: direct`.",
        source="kserve/kserve pkg/controller/v1alpha2/llmisvc/workload_single_node.go",
    ),
)
