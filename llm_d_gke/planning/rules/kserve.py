"""Rules about KServe."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-KSERVE-ROLLOUT",
        severity="warning",
        summary="KServe needs free nodes to replace pods, and the pool has none.",
        why="KServe starts new pods before it stops old ones, and they need nodes.",
        fix="Raise `nodes.max`, or pause for one `up`.",
        source="kserve/kserve v0.20.0, pkg/controller/v1alpha2/llmisvc/workload_single_node.go",
    ),
    Rule(
        "LLMD-KSERVE-LONG-NAME",
        severity="warning",
        summary="KServe shortens a long name to a hash.",
        why="KServe cuts long names and appends a hash.",
        fix="Look for the name that the message shows.",
        source="kserve/kserve v0.20.0, pkg/apis/serving/v1alpha2/llm_inference_service_types_func.go",
    ),
    Rule(
        "LLMD-KSERVE-TEMPLATE",
        summary="KServe reads {{ as a template.",
        why="KServe evaluates double braces as its own template syntax.",
        fix="Put the text into a file.",
        source="kserve/kserve v0.20.0, pkg/controller/v1alpha2/llmisvc/config_merge.go",
    ),
)
