"""Rules about traffic splits."""

from __future__ import annotations

from llm_d_gke.planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-ROUTE-ADMINISTRATION",
        severity="warning",
        summary="A path of the stack file opens vLLM's administration to clients.",
        why="vLLM serves metrics, pausing and weight updates on the API's port and requires no key there.",
        fix="Name only the API paths that clients need.",
        source="docs.vllm.ai/en/stable/usage/security",
    ),
    Rule(
        "LLMD-ROUTER-BODY",
        severity="warning",
        summary="Requests may be too long to pass both the model router and the picker.",
        why="Two programs that read the body one after the other lost bodies above 6.2 KB; Envoy fixed that in 2026.",
        fix="Use a release with another model router, or try a long prompt.",
        source="kubernetes-sigs/gateway-api-inference-extension issue 2115; envoyproxy/envoy pull request 43175",
    ),
    Rule(
        "LLMD-SPLIT-PATTERN",
        summary="The pattern has one model, and traffic splits divide among several.",
        why="Only pattern multi-model has several models.",
        fix="Remove `splits`.",
        basis="project",
    ),
    Rule(
        "LLMD-SPLIT-NAME",
        summary="A traffic split names a model that does not exist.",
        why="A split divides requests among models of the stack.",
        fix="Use their names.",
        basis="project",
    ),
    Rule(
        "LLMD-SPLIT-ONE",
        summary="A traffic split names a single model.",
        why="A single model gets all requests without a split.",
        fix="Add a model, or use an alias.",
        source="gateway-api.sigs.k8s.io/guides/traffic-splitting",
    ),
    Rule(
        "LLMD-SPLIT-ZERO",
        summary="All weights of a traffic split are zero.",
        why="A backend of weight 0 gets no requests, so no model would get any.",
        fix="Give a model a weight.",
        source="kubernetes-sigs/gateway-api v1.5.1, apis/v1/shared_types.go (weight)",
    ),
    Rule(
        "LLMD-SPLIT-LENGTHS",
        severity="warning",
        summary="Models of a traffic split have different maximum context lengths.",
        why="A client cannot know which of the models serves its request.",
        fix="Use the same maxModelLen.",
        basis="project",
    ),
    Rule(
        "LLMD-SPLIT-NO-REPLICAS",
        summary="A traffic split sends requests to a model without replicas.",
        why="Its share of the requests fails.",
        fix="Give it replicas, or weight 0.",
        basis="project",
    ),
)
