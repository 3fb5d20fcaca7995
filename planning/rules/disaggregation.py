"""Rules about prefill and decode on separate servers."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-PD-LOAD",
        severity="warning",
        summary="No number of prefill and decode servers serves the stated load.",
        why="The estimate finds no number of servers that keeps the objectives.",
        fix="Use a faster accelerator, or other objectives.",
    ),
    Rule(
        "LLMD-PD-REPLICAS",
        severity="warning",
        summary="The stated load takes more prefill or decode servers.",
        why="The slower of the two stages limits both.",
        fix="Use the number of replicas named.",
    ),
    Rule(
        "LLMD-PD-TP-MATCH",
        severity="error",
        summary="The tensor parallel sizes of prefill and decode do not fit each other.",
        why="KV caches are handed over shard by shard.",
        fix="Use sizes that fit.",
        source="docs.vllm.ai/en/stable/features/nixl_connector_compatibility",
    ),
    Rule(
        "LLMD-PD-ACCELERATOR-KINDS",
        severity="error",
        summary="Prefill and decode are on accelerators that cannot exchange KV caches.",
        why="No connector translates KV caches between GPUs and TPUs.",
        fix="Use the same kind for both.",
        source="docs.vllm.ai/en/stable/features/nixl_connector_compatibility",
    ),
    Rule(
        "LLMD-PD-ACCELERATORS-DIFFER",
        severity="warning",
        summary="Prefill and decode are on different accelerators.",
        why="vLLM may choose another attention back end there, and then refuses the KV cache.",
        fix="Use the same accelerator, or try it first.",
        source="docs.vllm.ai/en/stable/features/nixl_connector_compatibility",
    ),
    Rule(
        "LLMD-PD-RELEASE",
        severity="error",
        summary="The release cannot disaggregate prefill and decode.",
        why="The release's picker cannot choose two pods for a request.",
        fix="Use a release that can.",
    ),
    Rule(
        "LLMD-PD-FAILURE-MODE",
        severity="warning",
        summary="With failureMode open, prefill servers get requests meant for decode servers.",
        why="The load balancer then sends requests to any server of the pool.",
        fix="Use `failureMode: close`.",
    ),
    Rule(
        "LLMD-PD-PREFIX-SCORER",
        severity="error",
        summary="Disaggregation decides by cached prefixes, and no scorer looks for them.",
        why="The decision is made by the part of a prompt that is not cached.",
        fix="Give prefixCache a weight, or set prefillFromTokens to 0.",
    ),
    Rule(
        "LLMD-PD-WORTH",
        severity="warning",
        summary="Disaggregation is estimated to be slower than replicas that do both.",
        why="Handing over KV caches costs more than it saves at this load.",
        fix="Use pattern prefix-cache.",
        source="llm-d.ai, guide for prefill and decode",
    ),
    Rule(
        "LLMD-PD-RELEASE-WITHDRAWN",
        severity="warning",
        summary="Upstream removed images that the release's disaggregation needs.",
        why="The images cannot be pulled any more.",
        fix="Use another release, or a registry that has them.",
    ),
    Rule(
        "LLMD-PD-RANKS",
        severity="error",
        summary="Prefill and decode servers have one rank and one pipeline stage.",
        why="A routing sidecar has one engine behind it.",
        fix="Use 1, or pattern mixture-of-experts.",
    ),
    Rule(
        "LLMD-PD-ONE-HOST",
        severity="error",
        summary="A prefill or decode server does not fit on one host.",
        why="A prefill or decode server lives on one host.",
        fix="Use fewer accelerators, or a larger machine type.",
    ),
    Rule(
        "LLMD-PD-SHORT",
        severity="warning",
        summary="Prompts are too short for disaggregation to pay.",
        why="Short prompts are computed faster than their KV cache is sent.",
        fix="Use pattern prefix-cache.",
        source="llm-d.ai, guide for prefill and decode",
    ),
)
