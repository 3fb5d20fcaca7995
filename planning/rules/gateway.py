"""Rules about the Gateway and its certificates."""

from __future__ import annotations

from planning.rules.rule import Rule

RULES = (
    Rule(
        "LLMD-DIRECT-EXPOSED",
        severity="error",
        summary="A load balancer past the Gateway would open vLLM to the internet.",
        why="vLLM serves its API and its administration on one port and asks for no key on most paths.",
        fix="Set gateway.exposure: internal, or remove gateway.directLoadBalancer.",
        source="docs.vllm.ai, Security",
    ),
    Rule(
        "LLMD-TLS-SELF-SIGNED",
        severity="warning",
        summary="The Gateway's certificate signs itself.",
    ),
    Rule(
        "LLMD-TLS-NO-NAME",
        severity="error",
        summary="The Gateway's certificate is for no name.",
    ),
    Rule(
        "LLMD-TLS-ISSUER-LATER",
        severity="warning",
        summary="The named issuer cannot exist before the first up.",
    ),
    Rule(
        "LLMD-TLS-HOSTNAME",
        severity="error",
        summary="The Gateway's host name is not among the certificate's names.",
    ),
    Rule(
        "LLMD-ISTIO-SUPPORT",
        severity="warning",
        summary="The release's vendor supports KServe behind Istio only.",
    ),
    Rule(
        "LLMD-TLS-NONE",
        severity="warning",
        summary="Prompts cross the internet unencrypted.",
    ),
    Rule(
        "LLMD-GATEWAY-CLASS",
        severity="error",
        summary="The GatewayClass belongs to another implementation.",
    ),
    Rule(
        "LLMD-TLS-KIND-ISTIO",
        severity="error",
        summary="Istio cannot read certificates of Google's load balancers.",
    ),
    Rule(
        "LLMD-GATEWAY-CLASS-EXPOSURE",
        severity="error",
        summary="The GatewayClass does not fit the exposure.",
    ),
    Rule(
        "LLMD-BACKEND-TLS",
        severity="error",
        summary="Encryption to the model servers does not work with the other settings.",
    ),
)
