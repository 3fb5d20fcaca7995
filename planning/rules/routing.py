"""Rules about traffic splits."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-ROUTE-ADMINISTRATION",
        severity="warning",
        summary="A path of the stack file opens vLLM's administration to clients.",
        why="vLLM serves metrics, pausing and weight updates on the API's port and asks for no key there.",
        fix="Name only the API paths that clients need.",
        source="docs.vllm.ai, Security",
    ),
    Rule(
        "LLMD-SPLIT-PATTERN",
        severity="error",
        summary="The pattern has one model, and traffic splits divide among several.",
    ),
    Rule(
        "LLMD-SPLIT-NAME",
        severity="error",
        summary="A traffic split names a model that does not exist.",
    ),
    Rule(
        "LLMD-SPLIT-ONE",
        severity="error",
        summary="A traffic split has one side.",
    ),
    Rule(
        "LLMD-SPLIT-ZERO",
        severity="error",
        summary="All weights of a traffic split are zero.",
    ),
    Rule(
        "LLMD-SPLIT-LENGTHS",
        severity="warning",
        summary="Models of a traffic split have different longest contexts.",
    ),
    Rule(
        "LLMD-SPLIT-NO-REPLICAS",
        severity="error",
        summary="A traffic split sends requests to a model without replicas.",
    ),
)
