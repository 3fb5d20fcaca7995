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
        why="Clients do not trust a certificate that signed itself.",
        fix="Name an issuer, or keep it for trials.",
        source="cert-manager.io/docs/configuration/selfsigned",
    ),
    Rule(
        "LLMD-TLS-NO-NAME",
        severity="error",
        summary="The Gateway's certificate is for no name.",
        why="A certificate is issued for names.",
        fix="Set `gateway.hostname` or `dnsNames`.",
    ),
    Rule(
        "LLMD-TLS-ISSUER-LATER",
        severity="warning",
        summary="The named issuer cannot exist before the first up.",
        why="The stack installs cert-manager, but issuers are not part of it.",
        fix="Create the issuer before the second `up`.",
    ),
    Rule(
        "LLMD-TLS-HOSTNAME",
        severity="error",
        summary="The Gateway's host name is not among the certificate's names.",
        why="Clients refuse a certificate for another name.",
        fix="Add the host name.",
    ),
    Rule(
        "LLMD-ISTIO-SUPPORT",
        severity="warning",
        summary="The release's vendor supports KServe behind Istio only.",
        why="The vendor supports KServe behind Istio only.",
        fix="Use `gateway.implementation: istio`.",
    ),
    Rule(
        "LLMD-TLS-NONE",
        severity="warning",
        summary="Prompts cross the internet unencrypted.",
        why="Everybody on the way reads prompts and answers, and no client is authenticated.",
        fix="Set `gateway.tls`, or `exposure: internal`.",
    ),
    Rule(
        "LLMD-GATEWAY-CLASS",
        severity="error",
        summary="The GatewayClass belongs to another implementation.",
        why="A GatewayClass is implemented by one controller.",
        fix="Use a class of the implementation.",
    ),
    Rule(
        "LLMD-TLS-KIND-ISTIO",
        severity="error",
        summary="Istio cannot read certificates of Google's load balancers.",
        why="Istio reads certificates from Secrets.",
        fix="Use `kind: secret` or `cert-manager`.",
    ),
    Rule(
        "LLMD-GATEWAY-CLASS-EXPOSURE",
        severity="error",
        summary="The GatewayClass does not fit the exposure.",
        why="GKE has one class for each exposure that takes an InferencePool.",
        fix="Remove `className`, or change `exposure`.",
        source="cloud.google.com/kubernetes-engine/docs/how-to/deploy-gke-inference-gateway",
    ),
    Rule(
        "LLMD-BACKEND-TLS-GKE",
        severity="error",
        summary="GKE's load balancers cannot use HTTPS to the pods of an InferencePool.",
        why="The `appProtocol` of an InferencePool is `http` or `kubernetes.io/h2c`; there is no value for HTTPS.",
        fix="Use `implementation: istio`, or remove `backendTls`.",
        source="gateway-api-inference-extension.sigs.k8s.io/reference/spec",
    ),
    Rule(
        "LLMD-BACKEND-TLS-PD",
        severity="error",
        summary="Prefill and decode exchange KV caches without encryption.",
        why="KV caches represent the prompts, so HTTPS for the requests alone would protect nothing.",
        fix="Remove `backendTls`, or use another pattern.",
    ),
    Rule(
        "LLMD-BACKEND-TLS-PRECISE-ROUTING",
        severity="error",
        summary="Precise prefix routing cannot use servers with HTTPS.",
        why="The picker requests the tokens of each prompt from the model's servers, by HTTP only.",
        fix="Use `picker.prefixRouting: approximate`, or remove `backendTls`.",
    ),
)
