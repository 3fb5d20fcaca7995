"""Service extensions (callouts) of GKE's load balancers, `networking.gke.io/v1`.

Source: GoogleCloudPlatform/gke-gateway-api, apis/networking/v1.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.components.custom_resources.base import Part, PolicyTarget, Spec

# The CRD defines six events. A routing extension with a response event is refused.
Event = Literal["RequestHeaders", "RequestBody", "RequestTrailers"]


class ServiceRef(Part):
    """A Service of the same namespace. Unlike in Gateway API, group and kind are required."""

    group: Literal[""] = ""
    kind: Literal["Service"] = "Service"
    name: str
    port: Annotated[int, Field(ge=1, le=65535)]


class RoutingCallout(Part):
    """A callout before the route is chosen. `authority` is required beside `backend_ref`."""

    name: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
    authority: Annotated[str, Field(pattern=r"^[A-Za-z0-9-_:%.\[\]]+$", max_length=1000)]
    backend_ref: ServiceRef
    timeout: Annotated[str, Field(pattern=r"^\d+(ms|s)$")]
    supported_events: Annotated[list[Event], Field(min_length=1)]
    request_body_send_mode: Literal["Streamed", "FullDuplexStreamed"]
    fail_open: bool

    @model_validator(mode="after")
    def _full_duplex_has_an_end(self) -> Self:
        if self.request_body_send_mode == "FullDuplexStreamed":
            missing = {"RequestBody", "RequestTrailers"} - set(self.supported_events)
            if missing:
                raise ValueError(f"FullDuplexStreamed needs the events {', '.join(sorted(missing))}")
        return self


class ExtensionChain(Part):
    """A chain of callouts, which matches every request without a condition. GKE accepts exactly one extension in it."""

    name: Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
    extensions: Annotated[list[RoutingCallout], Field(min_length=1, max_length=1)]


class GcpRoutingExtensionSpec(Spec, api_version="networking.gke.io/v1", kind="GCPRoutingExtension"):
    target_refs: Annotated[list[PolicyTarget], Field(min_length=1, max_length=10)]
    extension_chains: Annotated[list[ExtensionChain], Field(min_length=1, max_length=5)]
