"""Settings under which HTTPS between Gateway and model servers cannot work, with the finding of each."""

from __future__ import annotations

from typing import Any

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong
from tests.planning.refusals.picker import own

ON: dict[str, Any] = {"gateway.implementation": "istio", "gateway.backendTls": {"kind": "cert-manager"}}
PATH = "gateway.backendTls.kind"

BACKEND_TLS = (
    Wrong(
        id="LLMD-ENGINE-TLS-ARGS",
        name="an engine that answers in HTTPS",
        changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--ssl_certfile=/a", "--ssl-keyfile", "/b"]},
        path="models[0].extraArgs[0]",
        value="--ssl_certfile=/a",
        rule="the engine would answer HTTPS only, while Gateway, picker, probes and",
        fix="gateway.backendTls",
    ),
    Wrong(
        id="LLMD-BACKEND-TLS-GKE",
        name="HTTPS behind Google's load balancers",
        changes={"gateway.backendTls": {"kind": "cert-manager"}},
        path=PATH,
        value="cert-manager",
        rule="use HTTP to the pods of an InferencePool",
        fix="implementation: istio",
    ),
    Wrong(
        id="LLMD-BACKEND-TLS-PD",
        name="HTTPS around KV cache in the clear",
        stack="disaggregated-gpu",
        changes=ON,
        path=PATH,
        value="cert-manager",
        rule="exchange KV caches, which represent the prompts, without encryption",
        fix="another pattern",
    ),
    Wrong(
        id="LLMD-BACKEND-TLS-PRECISE-ROUTING",
        name="HTTPS where the picker asks for tokens",
        stack="prefix-cache-gpu",
        changes=ON | {"picker.prefixRouting": "precise"},
        path=PATH,
        value="cert-manager",
        rule="requests the tokens of prompts from the model's servers, and its client has no setting",
        fix="prefixRouting: approximate",
    ),
    Wrong(
        id="LLMD-TLS-ISSUER-LATER",
        name="issuer of model servers that is not there yet",
        changes=ON | {"gateway.backendTls": {"kind": "cert-manager", "issuer": {"name": "ca"}}},
        path="gateway.backendTls.issuer",
        value="ca",
        rule="installs cert-manager but not this issuer",
        fix="leave issuer out for the first `pulumi up`",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-PICKER-METRICS-SCHEME",
        name="metrics asked for in HTTPS",
        changes=own({"type": "metrics-data-source", "parameters": {"scheme": "https"}}),
        path="picker.config.plugins[1].parameters",
        value="scheme: https",
        rule="engines serve metrics over HTTP here, as the Gateway",
        fix="use scheme: http",
    ),
    Wrong(
        id="LLMD-PICKER-METRICS-SCHEME",
        name="metrics asked for in HTTP of engines that answer HTTPS",
        changes=ON | own({"type": "metrics-data-source"}),
        path="picker.config.plugins[1].parameters",
        value="scheme: http",
        rule="engines serve metrics over HTTPS here, as the Gateway",
        fix="use scheme: https",
    ),
    Wrong(
        id="LLMD-PICKER-METRICS-HTTPS",
        name="a picker's configuration that leaves metrics to HTTP",
        changes=ON | own(),
        path="picker.config.plugins",
        value="no metrics-data-source",
        rule="these serve HTTPS",
        fix="add {type: metrics-data-source, parameters: {scheme: https}}",
    ),
)
