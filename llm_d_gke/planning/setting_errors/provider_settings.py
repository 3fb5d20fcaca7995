"""Settings of Pulumi's default providers in a stack file, which the stack's own providers do not read.

Source: pulumi.com/docs/iac/concepts/resources/providers, "Explicit provider configuration".
"""

from __future__ import annotations

from llm_d_gke.settings.fields import Path

_PROVIDERS = ("gcp:", "kubernetes:")


def is_of_provider(path: Path) -> bool:
    """Whether a path is a setting of a provider, with its namespace."""
    return len(path) == 1 and str(path[0]).startswith(_PROVIDERS)


def may_be_secret(path: Path) -> bool:
    """Whether the value of a provider's setting may be a credential, so that no message repeats it."""
    return is_of_provider(path) and path[0] not in ("gcp:project", "gcp:region", "gcp:zone", "kubernetes:namespace")
