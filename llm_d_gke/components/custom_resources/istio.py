"""Istio's kinds: connections to pickers and servers, what a Gateway requires of clients, the Sail operator's Istio."""

from typing import Annotated, Any, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Part, PolicyTarget, Spec


class ClientTls(Part):
    """TLS to an upstream, without verification or verified by the CA in the Secret `credential_name` (`ca.crt`).

    `subject_alt_names` are the names that the certificate must carry. Without `sni` the client's Host header would be
    the expected name.
    """

    mode: Literal["SIMPLE"] = "SIMPLE"
    insecure_skip_verify: bool | None = None
    credential_name: str | None = None
    sni: str | None = None
    subject_alt_names: list[str] | None = None


class TrafficPolicy(Part):
    tls: ClientTls


class DestinationRuleSpec(Spec, api_version="networking.istio.io/v1", kind="DestinationRule"):
    host: str
    traffic_policy: TrafficPolicy


class WorkloadSelector(Part):
    labels: dict[str, str]


class EnvoyFilterSpec(Spec, api_version="networking.istio.io/v1alpha3", kind="EnvoyFilter"):
    """Changes of the configuration of Envoys. Istio has no typed field for these filters, so the parts are plain."""

    workload_selector: WorkloadSelector
    config_patches: list[dict[str, Any]]


class ClaimHeader(Part):
    header: str
    claim: str


class JwtRule(Part):
    issuer: str
    jwks_uri: str
    audiences: list[str]
    output_claim_to_headers: list[ClaimHeader]


class RequestAuthenticationSpec(Spec, api_version="security.istio.io/v1", kind="RequestAuthentication"):
    """Refuses wrong tokens. A request without one passes: that is for an AuthorizationPolicy to refuse."""

    target_refs: list[PolicyTarget]
    jwt_rules: list[JwtRule]


class Source(Part):
    request_principals: list[str]


class From(Part):
    source: Source


class AuthorizationRule(Part):
    from_: Annotated[list[From], Field(alias="from")]


class AuthorizationPolicySpec(Spec, api_version="security.istio.io/v1", kind="AuthorizationPolicy"):
    """Admits what a rule admits, and nothing else."""

    target_refs: list[PolicyTarget]
    action: Literal["ALLOW"] = "ALLOW"
    rules: list[AuthorizationRule]


class IstioSpec(Spec, api_version="sailoperator.io/v1", kind="Istio"):
    """A control plane that the Sail operator installs. `values` are the Istio chart values that the CRD has."""

    namespace: str
    version: str
    values: dict[str, Any]
