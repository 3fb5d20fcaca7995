"""Stack files that are wrong about what a request meets: patterns, names, splits, pickers, certificates."""

from __future__ import annotations

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import GATED, Wrong

LORA = {"name": "sql", "source": "somebody/sql-lora"}

OLD, NEW = "google/gemma-2b-it", "microsoft/Phi-3-mini-4k-instruct"

PATTERNS = (
    Wrong(
        id="LLMD-PATTERN-TWO-MODELS",
        name="one model behind a model router",
        changes={"pattern": "multi-model"},
        path="models",
        value="1 model",
        rule="multi-model puts a model router in front of several models, and there",
        fix="use pattern: single-replica",
    ),
    Wrong(
        id="LLMD-ROUTER-BODY",
        name="long prompts behind an older model router",
        stack="multi-model-gpu",
        changes={
            "release": "llm-d-0.4",
            "models[0].load": {"promptTokens": 1600, "outputTokens": 100, "concurrency": 2},
        },
        path="models[0].load.promptTokens",
        value="1600",
        rule="bodies of about 6,400 bytes, and above 6,200 they were seen to arrive empty",
        fix="such as llm-d-0.9",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-NAME-HEADER",
        name="a name that fits no header",
        stack="multi-model-gpu",
        changes={"models[0].servedName": "gemmä"},
        path="models[0].servedName",
        value="gemmä",
        rule="takes ASCII",
        fix="use letters",
    ),
    Wrong(
        id="LLMD-NAME-TWICE",
        name="an adapter named as a model",
        stack="multi-model-gpu",
        changes={"models[0].adapters": [{"name": "microsoft/Phi-3-mini-4k-instruct", "source": "somebody/sql-lora"}]},
        path="models[0].adapters[0].name",
        value="microsoft/Phi-3-mini-4k-instruct",
        rule="2 models have this name, so a request with it would be ambiguous",
        fix="unique name",
    ),
    Wrong(
        id="LLMD-NAME-TWICE",
        name="an alias named as an adapter",
        changes={"models[0].aliases": ["sql"], "models[0].adapters": [LORA]},
        path="models[0].aliases[0]",
        value="sql",
        rule="the model has this name already",
        fix="unique name",
    ),
    Wrong(
        id="LLMD-ADAPTER-BASE",
        name="an adapter that is its own base",
        changes={"models[0].adapters": [{"name": "gemma-lora", "source": GATED}]},
        path="models[0].adapters[0].source",
        value=GATED,
        rule="the repository of the base model",
        fix="use aliases",
    ),
    Wrong(
        id="LLMD-ADAPTER-SOURCE",
        name="an adapter where the Hub is out of reach",
        changes={
            "models[0].source": {"kind": "bucket", "bucket": "weights", "path": "g"},
            "models[0].adapters": [LORA],
        },
        path="models[0].adapters[0].source",
        value="somebody/sql-lora",
        rule="without access to the Hugging Face Hub",
        fix="use source.kind: hugging-face",
    ),
    Wrong(
        id="LLMD-SETTING-UNKNOWN",
        name="an adapter without a base",
        changes={"adapters": [LORA]},
        path="adapters",
        value="[{name: sql, source: somebody/sql-lora}]",
        rule="no such setting",
        fix="did you mean llm-d:models[].adapters? Move it there",
    ),
    Wrong(
        id="LLMD-PATTERN-PREFIX-REPLICAS",
        name="nothing to choose from",
        stack="prefix-cache-gpu",
        changes={"models[0].replicas": 1},
        path="models[0].replicas",
        value="1",
        rule="prefix-cache chooses the replica that holds a prompt's prefix, and",
        fix="use 2 or more",
    ),
    Wrong(
        id="LLMD-PATTERN-PREFIX-SCORER",
        name="prefix matches without weight",
        stack="prefix-cache-gpu",
        changes={"picker.scorers.prefixCache": 0},
        path="picker.scorers.prefixCache",
        value="0",
        rule="prefix-cache routes by prefix matches, and a weight of 0 ignores them",
        fix="give it a weight",
    ),
    Wrong(
        id="LLMD-PREFIX-CACHING-OFF",
        name="prefix matches without a cache",
        stack="prefix-cache-gpu",
        changes={"models[0].prefixCaching": False},
        path="models[0].prefixCaching",
        value="false",
        rule="that this engine does not keep",
        fix="remove prefixCaching",
    ),
    Wrong(
        id="LLMD-PATTERN-ONE-MODEL",
        name="two models that share a prefix cache",
        stack="prefix-cache-gpu",
        changes={
            "models": [
                {"id": "microsoft/phi-2", "dtype": "half", "maxModelLen": 1024, "replicas": 2},
                {"id": "Qwen/Qwen2.5-0.5B-Instruct", "dtype": "half", "maxModelLen": 1024, "replicas": 2},
            ]
        },
        path="models",
        value="2 models",
        rule="prefix-cache serves one model",
        fix="use pattern: multi-model",
    ),
)

SPLITS = (
    Wrong(
        id="LLMD-DIRECT-EXPOSED",
        name="a load balancer past the Gateway on the internet",
        changes={"gateway.directLoadBalancer": True},
        path="gateway.directLoadBalancer",
        value="true",
        rule="exposes every path of vLLM, administration included, to the internet",
        fix="set exposure: internal",
    ),
    *(
        Wrong(
            id="LLMD-DIRECT-EXPOSED",
            name=f"a load balancer past the Gateway's {what}",
            changes={
                "gateway.exposure": "internal",
                "gateway.directLoadBalancer": True,
                "acknowledge": None,
                **changes,
            },
            path="gateway.directLoadBalancer",
            value="true",
            rule=f"past the Gateway's {what}",
            fix="remove directLoadBalancer",
        )
        for what, changes in (
            (
                "authentication",
                {
                    "gateway.implementation": "istio",
                    "gateway.auth": {"kind": "api-keys", "existingSecret": "keys"},
                },
            ),
            ("limits", {"gateway.implementation": "istio", "gateway.limits": {"bodyBytes": 100_000}}),
            ("Cloud Armor policy", {"gateway.securityPolicy": "office-only"}),
            ("TLS", {"gateway.tls": {"kind": "secret", "secret": "edge"}}),
        )
    ),
    *(
        Wrong(
            id="LLMD-ROUTE-ADMINISTRATION",
            name=f"a path of vLLM's administration, {exposure}",
            changes={"gateway.paths": ["/metrics"], **changes},
            path="gateway.paths[0]",
            value="/metrics",
            rule="every client reaches /metrics of vLLM",
            fix="name only the API paths that clients need",
            severity=severity,
        )
        for exposure, severity, changes in (
            ("external", Severity.ERROR, {}),
            ("internal", Severity.WARNING, {"gateway.exposure": "internal", "acknowledge": None}),
        )
    ),
    Wrong(
        id="LLMD-KV-EVENTS-ALIASES",
        name="the name of a split, which the precise index does not know",
        stack="multi-model-gpu",
        changes={
            "picker.prefixRouting": "precise",
            "splits": [{"name": "auto", "weights": {OLD: 9, NEW: 1}}],
        },
        path="splits[0].name",
        value="auto",
        rule="matches nothing",
        fix=f"{OLD} or {NEW}",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-SPLIT-PATTERN",
        name="a split without a router",
        changes={"splits": [{"name": "chat", "weights": {OLD: 1}}]},
        path="splits",
        value="chat",
        rule="single-replica has one model",
        fix="pattern: multi-model",
    ),
    Wrong(
        id="LLMD-SPLIT-NAME",
        name="a split with a model that is not there",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, "gemma-3": 1}}]},
        path="splits[0].weights",
        value="gemma-3",
        rule="no model of this stack has this name",
        fix=f"{OLD}, {NEW}",
    ),
    Wrong(
        id="LLMD-SPLIT-ONE",
        name="a split with one side",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 1}}]},
        path="splits[0].weights",
        value=OLD,
        rule="a split divides requests among two or more models, and this one names",
        fix="chat one of the model's aliases",
    ),
    Wrong(
        id="LLMD-SPLIT-ZERO",
        name="a split that leads nowhere",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 0, NEW: 0}}]},
        path="splits[0].weights",
        value="all 0",
        rule="all weights are 0, so no model would get the requests",
        fix="give a model a weight",
    ),
    Wrong(
        id="LLMD-SPLIT-NO-REPLICAS",
        name="a split to a model without replicas",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, NEW: 1}}], "models[1].replicas": 0},
        path="splits[0].weights",
        value=f"{NEW}: 1",
        rule="a model without replicas",
        fix="give it replicas, or weight 0",
    ),
    Wrong(
        id="LLMD-NAME-TWICE",
        name="a split named as a model",
        stack="multi-model-gpu",
        changes={"splits": [{"name": NEW, "weights": {OLD: 9, NEW: 1}}]},
        path="splits[0].name",
        value=NEW,
        rule="2 models have this name, so a request with it would be ambiguous",
        fix="unique name",
    ),
    Wrong(
        id="LLMD-SPLIT-LENGTHS",
        name="a split among models of different lengths",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, NEW: 1}}], "models[1].maxModelLen": 1024},
        path="splits[0].weights",
        value=f"{OLD} 2048, {NEW} 1024",
        rule="refuse requests longer than 1024 tokens",
        fix="the same maxModelLen",
        severity=Severity.WARNING,
    ),
)

PICKERS = (
    Wrong(
        id="LLMD-PICKER-FAILOVER",
        name="several pickers that fail closed",
        changes={"picker.replicas": 2},
        path="picker.failureMode",
        value="close",
        rule="while one picker takes over from another, none is ready: for about 15",
        fix="failureMode: open",
        severity=Severity.WARNING,
    ),
)

CERTIFICATES = (
    Wrong(
        id="LLMD-TLS-NO-NAME",
        name="certificate for no name",
        changes={"gateway.tls": {"kind": "cert-manager"}},
        path="gateway.hostname",
        value="(missing)",
        rule="a certificate is issued for a host name, and none is set",
        fix="gateway.tls.dnsNames",
    ),
    Wrong(
        id="LLMD-TLS-HOSTNAME",
        name="certificate for another name",
        changes={
            "gateway.tls": {"kind": "cert-manager", "dnsNames": ["*.example.com", "example.org"]},
            "gateway.hostname": "llm.eu.example.com",
        },
        path="gateway.tls.dnsNames",
        value="*.example.com, example.org",
        rule="answers to llm.eu.example.com only",
        fix="add llm.eu.example.com",
    ),
    Wrong(
        id="LLMD-TLS-SELF-SIGNED",
        name="certificate that signs itself",
        changes={"gateway.tls": {"kind": "cert-manager"}, "gateway.hostname": "llm.example.com"},
        path="gateway.tls.issuer",
        value="(missing)",
        rule="the certificate is self-signed, so clients do not trust it by default",
        fix="name an issuer",
        severity=Severity.WARNING,
    ),
    Wrong(
        id="LLMD-TLS-ISSUER-LATER",
        name="issuer that is not there yet",
        changes={
            "gateway.tls": {"kind": "cert-manager", "issuer": {"name": "ca"}},
            "gateway.hostname": "a.example.com",
        },
        path="gateway.tls.issuer",
        value="ca",
        rule="installs cert-manager but not this issuer",
        fix="leave issuer out for the first `pulumi up`",
        severity=Severity.WARNING,
    ),
)
