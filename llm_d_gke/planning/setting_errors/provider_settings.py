"""Settings of Pulumi's default providers in a stack file, which the stack's own providers do not read.

Source: pulumi.com/docs/iac/concepts/resources/providers, "Explicit provider configuration".
"""

from __future__ import annotations

from llm_d_gke.settings.fields import Path

_PROVIDERS = ("gcp:", "kubernetes:")
_TWICE = "the stack reads llm-d:{key} only, and the two values differ"
_BY_ENVIRONMENT = "the stack's provider for Google Cloud is its own and reads no settings of the stack file"
_BY_CLUSTER = "the stack's provider for Kubernetes is its own: it reaches the cluster that the stack creates or names"
_SETTINGS = {
    "gcp:project": (_TWICE.format(key="project"), "remove it, or give both the project that the stack is for"),
    "gcp:region": (_TWICE.format(key="location"), "remove it, or set llm-d:location to a place in this region"),
    "gcp:zone": (_TWICE.format(key="location"), "remove it, or give both the same zone"),
    "gcp:impersonateServiceAccount": (
        _BY_ENVIRONMENT,
        "remove it, and set the environment variable GOOGLE_IMPERSONATE_SERVICE_ACCOUNT where pulumi runs",
    ),
    "gcp:credentials": (
        _BY_ENVIRONMENT,
        "remove it, and log in where pulumi runs: gcloud auth application-default login",
    ),
    "gcp:accessToken": (
        _BY_ENVIRONMENT,
        "remove it, and set the environment variable GOOGLE_OAUTH_ACCESS_TOKEN where pulumi runs",
    ),
    "gcp:billingProject": (
        _BY_ENVIRONMENT,
        "remove it, and set the environment variable GOOGLE_BILLING_PROJECT where pulumi runs",
    ),
    "gcp:userProjectOverride": (
        _BY_ENVIRONMENT,
        "remove it, and set the environment variable USER_PROJECT_OVERRIDE where pulumi runs",
    ),
    "gcp:defaultLabels": (_BY_ENVIRONMENT, "move them to llm-d:labels"),
    "kubernetes:namespace": (_BY_CLUSTER, "remove it, or use llm-d:namespace: {name: ...}"),
}


def is_of_provider(path: Path) -> bool:
    """Whether a path is a setting of a provider, with its namespace."""
    return len(path) == 1 and str(path[0]).startswith(_PROVIDERS)


def may_be_secret(path: Path) -> bool:
    """Whether the value of a provider's setting may be a credential, so that no message repeats it."""
    return is_of_provider(path) and path[0] not in ("gcp:project", "gcp:region", "gcp:zone", "kubernetes:namespace")


def provider_setting(key: str) -> tuple[str, str]:
    """Why a setting has no effect, and what to do in its place."""
    return _SETTINGS.get(key, (_BY_CLUSTER, "remove it, or name the cluster in llm-d:cluster.existing"))
