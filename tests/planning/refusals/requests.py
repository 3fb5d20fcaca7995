"""Stack files that are wrong about what a request meets: patterns, names, splits, pickers, certificates."""

from __future__ import annotations

from planning.findings import Severity
from tests.planning.refusals.case import GATED, Wrong

LORA = {"name": "sql", "source": "somebody/sql-lora"}

OLD, NEW = "google/gemma-2b-it", "microsoft/Phi-3-mini-4k-instruct"

PATTERNS = (
    Wrong(
        name="one model behind a model router",
        changes={"pattern": "multi-model"},
        path="models",
        value="1 model",
        rule="one needs none",
        fix="use pattern: single-replica",
    ),
    Wrong(
        name="a name that fits no header",
        stack="multi-model-gpu",
        changes={"models[0].servedName": "gemmä"},
        path="models[0].servedName",
        value="gemmä",
        rule="takes ASCII",
        fix="use letters",
    ),
    Wrong(
        name="an adapter named as a model",
        stack="multi-model-gpu",
        changes={"models[0].adapters": [{"name": "microsoft/Phi-3-mini-4k-instruct", "source": "somebody/sql-lora"}]},
        path="models[0].adapters[0].name",
        value="microsoft/Phi-3-mini-4k-instruct",
        rule="2 models answer to this name",
        fix="a name of its own",
    ),
    Wrong(
        name="an alias named as an adapter",
        changes={"models[0].aliases": ["sql"], "models[0].adapters": [LORA]},
        path="models[0].aliases[0]",
        value="sql",
        rule="2 models answer to this name",
        fix="a name of its own",
    ),
    Wrong(
        name="an adapter that is its own base",
        changes={"models[0].adapters": [{"name": "gemma-lora", "source": GATED}]},
        path="models[0].adapters[0].source",
        value=GATED,
        rule="the base model's own repository",
        fix="use aliases",
    ),
    Wrong(
        name="an adapter where the Hub is out of reach",
        changes={
            "models[0].source": {"kind": "bucket", "bucket": "weights", "path": "g"},
            "models[0].adapters": [LORA],
        },
        path="models[0].adapters[0].source",
        value="somebody/sql-lora",
        rule="read without the Hub",
        fix="use source.kind: hugging-face",
    ),
    Wrong(
        name="an adapter without a base",
        changes={"adapters": [LORA]},
        path="adapters",
        value="[{'name': 'sql', 'source': 'somebody/sql-lora'}]",
        rule="no such setting",
        fix="check the spelling",
    ),
    Wrong(
        name="nothing to choose from",
        stack="prefix-cache-gpu",
        changes={"models[0].replicas": 1},
        path="models[0].replicas",
        value="1",
        rule="one replica leaves no choice",
        fix="use 2 or more",
    ),
    Wrong(
        name="prefix matches without weight",
        stack="prefix-cache-gpu",
        changes={"picker.scorers.prefixCache": 0},
        path="picker.scorers.prefixCache",
        value="0",
        rule="this weight leaves them out",
        fix="give it a weight",
    ),
    Wrong(
        name="prefix matches without a cache",
        stack="prefix-cache-gpu",
        changes={"models[0].prefixCaching": False},
        path="models[0].prefixCaching",
        value="false",
        rule="that this engine does not keep",
        fix="remove prefixCaching",
    ),
    Wrong(
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
        name="a split without a router",
        changes={"splits": [{"name": "chat", "weights": {OLD: 1}}]},
        path="splits",
        value="chat",
        rule="single-replica has one model",
        fix="pattern: multi-model",
    ),
    Wrong(
        name="a split with a model that is not there",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, "gemma-3": 1}}]},
        path="splits[0].weights",
        value="gemma-3",
        rule="no model of this stack has this name",
        fix=f"{OLD}, {NEW}",
    ),
    Wrong(
        name="a split with one side",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 1}}]},
        path="splits[0].weights",
        value=OLD,
        rule="two or more sides",
        fix="chat one of the model's aliases",
    ),
    Wrong(
        name="a split that leads nowhere",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 0, NEW: 0}}]},
        path="splits[0].weights",
        value="all 0",
        rule="nobody would answer requests for chat",
        fix="give a model a weight",
    ),
    Wrong(
        name="a split to a model without replicas",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, NEW: 1}}], "models[1].replicas": 0},
        path="splits[0].weights",
        value=f"{NEW}: 1",
        rule="a model without replicas",
        fix="give it replicas, or weight 0",
    ),
    Wrong(
        name="a split named as a model",
        stack="multi-model-gpu",
        changes={"splits": [{"name": NEW, "weights": {OLD: 9, NEW: 1}}]},
        path="splits[0].name",
        value=NEW,
        rule="2 models answer to this name",
        fix="a name of its own",
    ),
    Wrong(
        name="a split among models of different lengths",
        stack="multi-model-gpu",
        changes={"splits": [{"name": "chat", "weights": {OLD: 9, NEW: 1}}], "models[1].maxModelLen": 1024},
        path="splits[0].weights",
        value=f"{OLD} 2048, {NEW} 1024",
        rule="longer than 1024 tokens are refused by some",
        fix="the same maxModelLen",
        severity=Severity.WARNING,
    ),
)

PICKERS = (
    Wrong(
        name="several pickers that fail closed",
        changes={"picker.replicas": 2},
        path="picker.failureMode",
        value="close",
        rule="between two leaders no picker is ready",
        fix="failureMode: open",
        severity=Severity.WARNING,
    ),
)

CERTIFICATES = (
    Wrong(
        name="an engine that answers in HTTPS",
        changes={"models[0].allowExtraArgs": True, "models[0].extraArgs": ["--ssl_certfile=/a", "--ssl-keyfile", "/b"]},
        path="models[0].extraArgs[0]",
        value="--ssl_certfile=/a",
        rule="probes and collectors would not know",
        fix="gateway.backendTls",
    ),
    Wrong(
        name="certificate for no name",
        changes={"gateway.tls": {"kind": "cert-manager"}},
        path="gateway.hostname",
        value="null",
        rule="a certificate is for a name",
        fix="gateway.tls.dnsNames",
    ),
    Wrong(
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
        name="certificate that signs itself",
        changes={"gateway.tls": {"kind": "cert-manager"}, "gateway.hostname": "llm.example.com"},
        path="gateway.tls.issuer",
        value="null",
        rule="no client trusts it unasked",
        fix="name an issuer",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="issuer that is not there yet",
        changes={
            "gateway.tls": {"kind": "cert-manager", "issuer": {"name": "ca"}},
            "gateway.hostname": "a.example.com",
        },
        path="gateway.tls.issuer",
        value="ca",
        rule="installs cert-manager and no issuer",
        fix="leave issuer out for the first `pulumi up`",
        severity=Severity.WARNING,
    ),
)
