"""Stack files that leave a door open or close it wrongly, with the finding each gets."""

from __future__ import annotations

from llm_d_gke.planning.findings import Severity
from tests.planning.refusals.case import Wrong
from tests.stacks import existing_cluster

_ELSEWHERE = "projects/keys/locations/europe-west4/keyRings/llm-d/cryptoKeys/gke"
_WIDE = "projects/keys/locations/us/keyRings/llm-d/cryptoKeys/gke"

KEYS = tuple(
    Wrong(
        name=f"{setting} of another place: {key.split('/')[3]}",
        id="LLMD-KMS-LOCATION",
        changes={f"cluster.encryption.{setting}": key},
        path=f"cluster.encryption.{setting}",
        value=key,
        rule="GKE refuses a key from another location",
        fix="use a key ring in us-central1",
    )
    for setting, key in (("secretsKey", _ELSEWHERE), ("diskKey", _ELSEWHERE), ("secretsKey", _WIDE))
)

_TLS = {"kind": "secret", "secret": "edge"}
_KEY = "0123456789abcdef0123456789abcdef"
_ISTIO = {"gateway.implementation": "istio", "gateway.tls": _TLS}
_JWT = {
    "kind": "jwt",
    "issuer": "https://accounts.example.com",
    "jwksUri": "https://accounts.example.com/keys",
    "audiences": ["llm"],
}
_IAP = {"kind": "iap", "clientId": "1.apps.googleusercontent.com", "existingSecret": "oauth"}

EDGE = (
    *(
        Wrong(
            name=f"a Gateway without authentication: {name}",
            id="LLMD-GATEWAY-OPEN",
            changes={"acknowledge": None, **changes},
            path="gateway.auth.kind",
            value="none",
            rule="anyone on the internet can use the models",
            fix="acknowledge LLMD-GATEWAY-OPEN with a reason",
        )
        for name, changes in (
            ("no setting", {}),
            ("with a certificate", {"gateway.tls": _TLS}),
            ("Istio", {"gateway.implementation": "istio"}),
            ("with limits", {"gateway.limits.requestsPerMinute": 60}),
            ("with Cloud Armor", {"gateway.securityPolicy": "office-only"}),
        )
    ),
    *(
        Wrong(
            name=f"{auth['kind']} with {implementation}",
            id="LLMD-AUTH-IMPLEMENTATION",
            changes={"gateway": {"implementation": implementation, "tls": _TLS, "auth": auth}, **more},
            path="gateway.auth.kind",
            value=str(auth["kind"]),
            rule=rule,
            fix=f"use kind: {kinds}, or implementation: {other}",
        )
        for auth, implementation, rule, kinds, other, more in (
            ({"kind": "api-keys"}, "gke", "verify neither API keys nor tokens", "iap", "istio", {"apiKeys.a": _KEY}),
            (_JWT, "gke", "verify neither API keys nor tokens", "iap", "istio", {}),
            (_IAP, "istio", "part of Google's load balancers", "api-keys or jwt", "gke", {}),
        )
    ),
    Wrong(
        name="API keys beside a certificate that Istio cannot read",
        id="LLMD-AUTH-IMPLEMENTATION",
        changes={
            "gateway": {"tls": {"kind": "certificate-manager", "certificates": ["chat"]}, "auth": {"kind": "api-keys"}},
            "apiKeys.a": _KEY,
        },
        path="gateway.auth.kind",
        value="api-keys",
        rule="verify neither API keys nor tokens",
        fix="use kind: iap, or implementation: istio with gateway.tls.kind: cert-manager or secret",
    ),
    *(
        Wrong(
            name=f"credentials in plain HTTP: {auth['kind']}, {exposure}",
            id="LLMD-AUTH-PLAIN",
            changes={"gateway": {"implementation": implementation, "auth": auth, "exposure": exposure}, **more},
            path="gateway.auth.kind",
            value=str(auth["kind"]),
            rule=rule,
            fix="set gateway.tls",
        )
        for auth, implementation, exposure, rule, more in (
            ({"kind": "api-keys"}, "istio", "external", "credentials unencrypted", {"apiKeys.a": _KEY}),
            (_JWT, "istio", "external", "credentials unencrypted", {}),
            (_IAP, "gke", "external", "answers HTTPS only", {}),
            (_IAP, "gke", "internal", "answers HTTPS only", {}),
        )
    ),
    Wrong(
        name="Identity-Aware Proxy as the only protection",
        id="LLMD-AUTH-IAP-UNTRIED",
        changes={"gateway": {"tls": _TLS, "auth": _IAP, "exposure": "external"}},
        path="gateway.auth.kind",
        value="iap",
        rule="not established that it works for an InferencePool",
        fix="acknowledge LLMD-AUTH-IAP-UNTRIED",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="no API key",
        id="LLMD-API-KEYS-MISSING",
        changes=_ISTIO | {"gateway.auth": {"kind": "api-keys"}},
        path="apiKeys",
        value="{}",
        rule="every request would be rejected",
        fix="openssl rand -hex 24",
    ),
    Wrong(
        name="API keys in plain text",
        id="LLMD-SECRET-PLAIN",
        changes=_ISTIO | {"gateway.auth": {"kind": "api-keys"}, "apiKeys.a": _KEY},
        path="apiKeys",
        value="(hidden)",
        rule="in plain text",
        fix="pulumi config set --path --secret llm-d:apiKeys.a",
        encrypted=frozenset({"huggingFace"}),
    ),
    *(
        Wrong(
            name=f"API keys that nothing asks for: {name}",
            id="LLMD-API-KEYS-UNUSED",
            changes={"apiKeys.a": _KEY, **changes},
            path="apiKeys",
            value="1 key",
            rule="no request is checked against them now",
            fix="set gateway.auth: {kind: api-keys}",
        )
        for name, changes in (
            ("no authentication", {}),
            ("keys of a Secret", _ISTIO | {"gateway.auth": {"kind": "api-keys", "existingSecret": "mine"}}),
        )
    ),
    *(
        Wrong(
            name=f"API key {name}",
            id="LLMD-API-KEY-WEAK",
            changes=_ISTIO | {"gateway.auth": {"kind": "api-keys"}, "apiKeys.search-team": key},
            path="apiKeys.search-team",
            value="(hidden)",
            rule="can be guessed",
            fix="openssl rand -hex 24",
        )
        for name, key in (
            ("that is short", "secret"),
            ("with a blank", "0123456789 abcdef0123456789"),
            ("of two lines", "0123456789\nadmin abcdef0123456789"),
            ("in another alphabet", "ключключключключключключ"),
        )
    ),
    *(
        Wrong(
            name=f"limit that the Gateway cannot keep: {path}, {rule}",
            id="LLMD-LIMITS-IMPLEMENTATION",
            changes={path: value, **changes},
            path=path,
            value=str(value),
            rule=rule,
            fix=fix,
        )
        for path, value, changes, rule, fix in (
            ("gateway.limits.bodyBytes", 100_000, {}, "no limit for the body", "implementation: istio"),
            ("gateway.limits.tokensPerMinute", 1000, {}, "count requests", "models[].maxModelLen"),
            (
                "gateway.limits.tokensPerMinute",
                1000,
                {"gateway.implementation": "istio"},
                "not for an address",
                "per: key",
            ),
            (
                "gateway.limits.per",
                "key",
                {"gateway.implementation": "istio"},
                "cannot tell clients apart",
                "per: address",
            ),
            (
                "gateway.limits.requestsPerMinute",
                60,
                {"gateway.exposure": "internal", "acknowledge": None},
                "not established",
                "implementation: istio",
            ),
            ("gateway.securityPolicy", "office", {"gateway.implementation": "istio"}, "Cloud Armor", "gateway.limits"),
        )
    ),
    Wrong(
        name="two policies of Cloud Armor",
        id="LLMD-LIMITS-TWICE",
        changes={"gateway.securityPolicy": "office", "gateway.limits.requestsPerMinute": 60},
        path="gateway.limits.requestsPerMinute",
        value="60",
        rule="a backend has one Cloud Armor policy",
        fix="remove securityPolicy",
    ),
    *(
        Wrong(
            name=f"HTTPS without a certificate: {setting}",
            id="LLMD-TLS-WITHOUT",
            changes={f"gateway.{setting}": value},
            path=f"gateway.{setting}",
            value=text,
            rule="the Gateway has no certificate",
            fix=f"remove {setting}",
        )
        for setting, value, text in (("redirectHttp", True, "true"), ("hstsSeconds", 3600, "3600"))
    ),
    Wrong(
        name="TLS version of Istio",
        id="LLMD-TLS-VERSION-ISTIO",
        changes=_ISTIO | {"gateway.tlsVersion": "1.3"},
        path="gateway.tlsVersion",
        value="1.3",
        rule="accepts TLS 1.2 and 1.3",
        fix="use implementation: gke",
    ),
)

_CLIENTS = _ISTIO | {"gateway.auth": {"kind": "api-keys"}, "apiKeys": {"batch.one": _KEY}, "acknowledge": None}
_QUEUE = {"picker.flowControl": True}

PRIORITIES = (
    Wrong(
        name="keys from two places",
        id="LLMD-API-KEYS-ONE-WAY",
        changes=_ISTIO
        | {
            "acknowledge": None,
            "gateway.auth": {"kind": "api-keys", "existingSecret": "theirs", "secretManagerSecret": "keys"},
        },
        path="gateway.auth",
        value="{kind: api-keys, existingSecret: (hidden), secretManagerSecret: (hidden)}",
        rule="the Gateway reads one file of keys",
        fix="keep one of them",
    ),
    Wrong(
        name="priorities without keys",
        id="LLMD-PRIORITIES-AUTH",
        changes=_QUEUE | {"gateway.priorities": {"batch": -1}},
        path="gateway.priorities",
        value="batch: -1",
        rule="does not know which client asks",
        fix="set gateway.auth: {kind: api-keys}",
    ),
    Wrong(
        name="priorities without a queue",
        id="LLMD-PRIORITIES-QUEUE",
        changes=_CLIENTS | {"gateway.priorities": {"batch": 3}},
        path="gateway.priorities",
        value="batch: 3",
        rule="the picker has no queue",
        fix="set picker.flowControl: true",
    ),
    Wrong(
        name="a priority above 0 beside one that needs no queue",
        id="LLMD-PRIORITIES-QUEUE",
        changes=_CLIENTS
        | {"apiKeys": {"batch": _KEY, "search": _KEY[::-1]}, "gateway.priorities": {"batch": -10, "search": 10}},
        path="gateway.priorities",
        value="search: 10",
        rule="the picker has no queue",
        fix="lower search to 0",
    ),
    Wrong(
        name="priorities in an existing cluster, for a picker of two API groups",
        id="LLMD-PRIORITIES-GROUP",
        changes=_QUEUE | _CLIENTS | {"release": "llm-d-0.10", "gateway.priorities": {"batch": 3}} | existing_cluster(),
        path="gateway.priorities",
        value="batch: 3",
        rule="ignores those of inference.networking.x-k8s.io",
        fix="kubectl get crd inferenceobjectives.llm-d.ai",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="priorities in a new cluster for which KServe's chart brings the newer definition",
        id="LLMD-PRIORITIES-GROUP",
        changes=_QUEUE
        | _CLIENTS
        | {"deployment": "kserve", "cluster.version": "1.33.5-gke.1000000", "gateway.priorities": {"batch": 3}},
        path="gateway.priorities",
        value="batch: 3",
        rule="in the new cluster, to which KServe's chart brings it",
        fix="of GKE 1.34.0-gke.1626000 or newer",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a queue before a single replica",
        id="LLMD-FLOW-CONTROL-SINGLE",
        changes=_QUEUE,
        path="models[0].replicas",
        value="1",
        rule="metrics are older than 200 ms",
        fix="use 2 replicas",
        severity=Severity.WARNING,
    ),
    Wrong(
        name="a queue with priorities in a release before them",
        id="LLMD-FLOW-CONTROL-RELEASE",
        changes=_QUEUE | {"release": "llm-d-0.4"},
        path="picker.flowControl",
        value="true",
        rule="no fairness between clients",
        fix="use a later release",
    ),
    Wrong(
        name="a number of requests in progress without a queue",
        id="LLMD-FLOW-CONTROL-CONCURRENCY",
        changes={"picker.maxConcurrency": 8},
        path="picker.maxConcurrency",
        value="8",
        rule="without a queue no request waits",
        fix="set picker.flowControl: true",
    ),
    Wrong(
        name="a number of requests in progress that the picker reads late",
        id="LLMD-FLOW-CONTROL-CONCURRENCY",
        changes=_QUEUE | {"picker.maxConcurrency": 8, "release": "gaie-1.5"},
        path="picker.maxConcurrency",
        value="8",
        rule="one that reads an old number",
        fix="use release llm-d-0.9 or llm-d-0.10",
    ),
    Wrong(
        name="a queue beside a configuration of one's own",
        id="LLMD-PICKER-CONFIG-ALONE",
        changes=_QUEUE
        | {
            "picker.config": {
                "plugins": [{"type": "queue-scorer"}],
                "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "queue-scorer"}]}],
            }
        },
        path="picker.flowControl",
        value="given",
        rule="replaces the whole configuration",
        fix="feature gates go into picker.config",
    ),
    *(
        Wrong(
            name=f"a priority of an unknown client: {name}",
            id="LLMD-PRIORITIES-CLIENT",
            changes=_CLIENTS | _QUEUE | {"gateway.priorities": {name: 3}},
            path=f'gateway.priorities["{name}"]' if "." in name else f"gateway.priorities.{name}",
            value=name,
            rule="no key belongs to a client of this name",
            fix="use one of batch",
        )
        for name in ("bach", "batch.one")
    ),
)
