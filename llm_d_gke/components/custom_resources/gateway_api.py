"""Gateway and HTTPRoute, `gateway.networking.k8s.io/v1`: the fields that this program sets."""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Part, Spec

GROUP = "gateway.networking.k8s.io"


class Address(Part):
    """A reserved address by its Google Cloud name, or an ephemeral one of a region, for Gateways across regions.

    Only GKE's own GatewayClasses accept these forms.
    """

    type: Annotated[str, Field(pattern=r"^(NamedAddress|networking\.gke\.io/ephemeral-ipv4-address/[a-z0-9-]+)$")] = (
        "NamedAddress"
    )
    value: str


class CertificateRef(Part):
    kind: Literal["Secret"] = "Secret"
    name: str


class ListenerTls(Part):
    mode: Literal["Terminate"] = "Terminate"
    certificate_refs: list[CertificateRef] | None = None
    options: dict[str, str] | None = None


class RouteNamespaces(Part):
    from_: Annotated[Literal["Same", "All"], Field(alias="from")] = "Same"


class AllowedRoutes(Part):
    namespaces: RouteNamespaces = Field(default_factory=RouteNamespaces)


class Listener(Part):
    name: str
    port: int
    protocol: Literal["HTTP", "HTTPS"]
    hostname: str | None = None
    tls: ListenerTls | None = None
    allowed_routes: AllowedRoutes = Field(default_factory=AllowedRoutes)


class ParametersRef(Part):
    """A ConfigMap in the Gateway's namespace. Istio merges its keys (`deployment`, ...) into the objects it creates."""

    group: Literal[""] = ""
    kind: Literal["ConfigMap"] = "ConfigMap"
    name: str


class Infrastructure(Part):
    """Settings of the Service and pods that an in-cluster implementation creates; `annotations` are set on both."""

    annotations: dict[str, str] | None = None
    parameters_ref: ParametersRef | None = None


class GatewaySpec(Spec, api_version=f"{GROUP}/v1", kind="Gateway"):
    gateway_class_name: str
    addresses: list[Address] | None = None
    infrastructure: Infrastructure | None = None
    listeners: list[Listener]


class ParentRef(Part):
    """A Gateway; `section_name` selects one of several listeners."""

    name: str
    section_name: str | None = None


class PathMatch(Part):
    type: Literal["PathPrefix", "Exact"] = "PathPrefix"
    value: str


class HeaderMatch(Part):
    type: Literal["Exact"] = "Exact"
    name: str
    value: Annotated[str, Field(min_length=1, max_length=4096)]


class Match(Part):
    path: PathMatch
    headers: list[HeaderMatch] | None = None


class PoolBackendRef(Part):
    """An InferencePool as backend. It has no `port`: implementations ignore or reject one."""

    group: Literal["inference.networking.k8s.io"] = "inference.networking.k8s.io"
    kind: Literal["InferencePool"] = "InferencePool"
    name: str
    weight: Annotated[int, Field(ge=0, le=1_000_000)] = 1


class ImportBackendRef(Part):
    """The pools of this name in all clusters of a fleet as backend."""

    group: Literal["networking.gke.io"] = "networking.gke.io"
    kind: Literal["GCPInferencePoolImport"] = "GCPInferencePoolImport"
    name: str
    weight: Annotated[int, Field(ge=0, le=1_000_000)] = 1


class ServiceBackendRef(Part):
    """A Service of the same namespace as backend."""

    kind: Literal["Service"] = "Service"
    name: str
    port: Annotated[int, Field(ge=1, le=65535)]


class NewPath(Part):
    type: Literal["ReplacePrefixMatch"] = "ReplacePrefixMatch"
    replace_prefix_match: str


class UrlRewrite(Part):
    path: NewPath


class RewriteFilter(Part):
    """Replaces the path that matched."""

    type: Literal["URLRewrite"] = "URLRewrite"
    url_rewrite: Annotated[UrlRewrite, Field(alias="urlRewrite")]


class Redirect(Part):
    scheme: Literal["https"] = "https"
    status_code: Literal[301] = 301


class RedirectFilter(Part):
    """Answers with the same address in HTTPS."""

    type: Literal["RequestRedirect"] = "RequestRedirect"
    request_redirect: Redirect = Field(default_factory=Redirect)


class Header(Part):
    name: str
    value: str


class HeaderChange(Part):
    set: list[Header]


class ResponseHeaderFilter(Part):
    """Sets headers of answers."""

    type: Literal["ResponseHeaderModifier"] = "ResponseHeaderModifier"
    response_header_modifier: HeaderChange


class Timeouts(Part):
    request: Annotated[str, Field(pattern=r"^\d+s$")]


class Rule(Part):
    """A rule of a route. It has no `timeouts`: GKE refuses them and takes the timeout from GCPBackendPolicy."""

    matches: list[Match] | None = None
    filters: list[RewriteFilter | RedirectFilter | ResponseHeaderFilter] | None = None
    # None where a filter answers by itself.
    backend_refs: list[PoolBackendRef | ImportBackendRef | ServiceBackendRef] | None = None
    timeouts: Timeouts | None = None


class HttpRouteSpec(Spec, api_version=f"{GROUP}/v1", kind="HTTPRoute"):
    parent_refs: list[ParentRef]
    hostnames: list[str] | None = None
    rules: Annotated[list[Rule], Field(min_length=1, max_length=16)]
