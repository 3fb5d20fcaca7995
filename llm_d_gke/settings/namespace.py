"""The namespace of a stack, and the traffic of its pods."""

from typing import Annotated

from pydantic import Field

from llm_d_gke.settings.base import Settings, form


class NamespaceSettings(Settings):
    """The Kubernetes namespace of gateway, pickers and model servers."""

    name: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            max_length=63,
            description="Name of the namespace; by default llm-d-inference-scheduling, with the stack's name behind it"
            " in an existing cluster.",
            examples=["llm-d"],
            json_schema_extra=form("a Kubernetes name: lower-case letters, digits and dashes"),
        ),
    ] = None
    existing: Annotated[bool, Field(description="The namespace is there already; the stack leaves it alone.")] = False


class NetworkPoliciesSettings(Settings):
    """Allowed traffic to and from the stack's pods."""

    enabled: Annotated[
        bool, Field(description="Close the namespace but for what requests, metrics, names and weights need.")
    ] = True
    private_google_access: Annotated[
        bool,
        Field(
            description="The network's DNS answers *.googleapis.com with private.googleapis.com (199.36.153.8/30):"
            " servers whose weights and adapters are in buckets then reach those four addresses and no others."
        ),
    ] = False
