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
        why="Only pattern multi-model has several models.",
        fix="Remove `splits`.",
    ),
    Rule(
        "LLMD-SPLIT-NAME",
        severity="error",
        summary="A traffic split names a model that does not exist.",
        why="A split divides requests among models of the stack.",
        fix="Use their names.",
    ),
    Rule(
        "LLMD-SPLIT-ONE",
        severity="error",
        summary="A traffic split has one side.",
        why="With one side nothing is divided.",
        fix="Add a model, or use an alias.",
    ),
    Rule(
        "LLMD-SPLIT-ZERO",
        severity="error",
        summary="All weights of a traffic split are zero.",
        why="A route whose weights are all 0 answers 500.",
        fix="Give a model a weight.",
        source="gateway-api.sigs.k8s.io/reference/spec",
    ),
    Rule(
        "LLMD-SPLIT-LENGTHS",
        severity="warning",
        summary="Models of a traffic split have different longest contexts.",
        why="A client cannot know which of the models it reaches.",
        fix="Use one maxModelLen.",
    ),
    Rule(
        "LLMD-SPLIT-NO-REPLICAS",
        severity="error",
        summary="A traffic split sends requests to a model without replicas.",
        why="Its share of the requests fails.",
        fix="Give it replicas, or weight 0.",
    ),
)
