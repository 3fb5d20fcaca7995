"""The Gateway through which clients reach the models."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from llm_d_gke.settings.base import Settings, form, listed_once, replaces
from llm_d_gke.settings.edge import Auth, LimitsSettings, NoAuth, Priorities, TlsVersion
from llm_d_gke.settings.names import AddressName, CertificateName, SecretName

# As the Gateway API defines a listener's hostname (gateway-api.sigs.k8s.io/reference/spec/#hostname).
HostName = Annotated[
    str,
    Field(
        pattern=r"^(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
        max_length=253,
        examples=["llm.example.com"],
        json_schema_extra=form(
            "a host name in lower case, without https:// and without a path: up to 63 characters between dots"
        ),
    ),
]


class NoTls(Settings):
    """Plain HTTP on port 80."""

    kind: Literal["none"] = "none"


class CertificateManagerTls(Settings):
    """Regional Certificate Manager certificates."""

    kind: Literal["certificate-manager"]
    certificates: Annotated[
        tuple[CertificateName, ...],
        listed_once(),
        Field(min_length=1, max_length=15, description="Certificate names."),
    ]


class PreSharedTls(Settings):
    """Regional Compute Engine SSL certificates."""

    kind: Literal["pre-shared"]
    certificates: Annotated[
        tuple[CertificateName, ...],
        listed_once(),
        Field(min_length=1, max_length=15, description="Certificate names."),
    ]


class SecretTls(Settings):
    """A kubernetes.io/tls Secret of the stack's namespace."""

    kind: Literal["secret"]
    secret: Annotated[SecretName, Field(description="Name of the Secret.")]


class IssuerSettings(Settings):
    """An issuer of cert-manager that is in the cluster."""

    name: Annotated[
        str, Field(min_length=1, max_length=253, description="Name of the issuer.", examples=["letsencrypt"])
    ]
    kind: Annotated[
        Literal["ClusterIssuer", "Issuer"],
        Field(description="Of the whole cluster, or of the stack's namespace."),
    ] = "ClusterIssuer"


DnsName = Annotated[
    str,
    Field(
        pattern=r"^(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
        max_length=253,
        examples=["llm.example.com"],
        json_schema_extra=form("a DNS name in lower case, which may begin with *."),
    ),
]


class CertManagerTls(Settings):
    """A certificate that cert-manager has signed and renews."""

    kind: Literal["cert-manager"]
    issuer: Annotated[
        IssuerSettings | None,
        Field(description="Who signs; by default the certificate signs itself, for trials."),
    ] = None
    dns_names: Annotated[
        tuple[DnsName, ...],
        listed_once(),
        Field(max_length=100, description="Names of the certificate; by default the Gateway's host name."),
    ] = ()


Tls = Annotated[NoTls | CertificateManagerTls | PreSharedTls | SecretTls | CertManagerTls, Field(discriminator="kind")]


class PlainBackend(Settings):
    """Plain HTTP, inside the VPC and closed by network policies."""

    kind: Literal["none"] = "none"


class CertManagerBackend(Settings):
    """HTTPS by a certificate that cert-manager has signed and renews."""

    kind: Literal["cert-manager"]
    issuer: Annotated[
        IssuerSettings | None,
        Field(
            description="Who signs, with an authority of its own (ca.crt) by which the Gateway verifies servers; by"
            " default the certificate signs itself, which encrypts and proves nothing."
        ),
    ] = None


BackendTls = Annotated[PlainBackend | CertManagerBackend, Field(discriminator="kind")]


RequestPath = Annotated[
    str,
    Field(
        pattern=r"^/([A-Za-z0-9_~/-]|\.[A-Za-z0-9_~-])*\*?$",
        max_length=256,
        examples=["/v1/messages/count_tokens"],
        json_schema_extra=form("a path from the root, which may end with * for everything below"),
    ),
]


# The only class of Google's that is reachable from the internet and takes an InferencePool.
EXTERNAL_CLASS = "gke-l7-regional-external-managed"


class GatewaySettings(Settings):
    """A regional load balancer with one address in front of all models."""

    @model_validator(mode="before")
    @classmethod
    def read_class(cls, values: Any) -> Any:
        """A stack file that names the external class alone means to be reachable from the internet."""
        if isinstance(values, Mapping) and "exposure" not in values and values.get("className") == EXTERNAL_CLASS:
            return {**values, "exposure": "external"}
        return values

    implementation: Annotated[
        Literal["gke", "istio"],
        Field(
            description="Who stands behind the Gateway: Google's load balancers, or Envoy pods of Istio's.",
            json_schema_extra=replaces("Gateway"),
        ),
    ] = "gke"
    class_name: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
            max_length=253,
            description="GatewayClass; by default the one of implementation and exposure.",
            examples=["gke-l7-regional-external-managed"],
            json_schema_extra=form("the name of a GatewayClass: lower-case letters, digits, dashes and dots")
            | replaces("Gateway"),
        ),
    ] = None
    exposure: Annotated[
        Literal["external", "internal"],
        Field(
            description="Reachable from the VPC only, or from the internet, which `className` can ask for, too.",
            json_schema_extra=replaces("address", "Gateway"),
        ),
    ] = "internal"
    existing_address: Annotated[
        AddressName | None, Field(description="Name of a reserved regional address; by default the stack reserves one.")
    ] = None
    tls: Annotated[Tls, Field(description="Certificate of the listener.")] = NoTls.defaults()
    backend_tls: Annotated[
        BackendTls, Field(description="Encryption between Gateway and model servers; with implementation: istio.")
    ] = PlainBackend.defaults()
    tls_version: Annotated[
        TlsVersion, Field(description="Oldest version of TLS that clients may use; Google's own default is 1.0.")
    ] = "1.2"
    redirect_http: Annotated[
        bool,
        Field(
            description="Answer port 80 with a redirect to HTTPS, with Istio after the checks of gateway.auth; without"
            " it port 80 is closed."
        ),
    ] = False
    hsts_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=63_072_000,
            description="Seconds for which browsers use HTTPS only (Strict-Transport-Security); 0 sends no header.",
        ),
    ] = 0
    auth: Annotated[Auth, Field(description="Who may use the models.")] = NoAuth.defaults()
    limits: Annotated[LimitsSettings, Field(description="How much one client may send.")] = LimitsSettings.defaults()
    priorities: Annotated[
        Priorities,
        Field(
            max_length=100,
            description="Priority of clients by name, with auth: api-keys. Clients without one have 0. While all"
            " replicas are busy, requests of those below 0 are refused (429); with picker.flowControl they wait, and"
            " requests of a higher priority are sent first.",
        ),
    ] = {}
    security_policy: Annotated[
        str | None,
        Field(
            pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
            description="Name of an existing regional Cloud Armor policy in front of the models; implementation: gke.",
            examples=["office-only"],
            json_schema_extra=form("the name of a Cloud Armor policy: lower-case letters, digits and dashes"),
        ),
    ] = None
    hostname: Annotated[HostName | None, Field(description="Host name the listener answers to.")] = None
    paths: Annotated[
        tuple[RequestPath, ...],
        listed_once(),
        Field(
            max_length=16,
            description="Request paths beside the API's own (chat/completions, completions, responses, messages,"
            " embeddings, models; without those that the release's picker does not take) that clients reach; with"
            " everything below where one ends with `*`.",
        ),
    ] = ()
    timeout_seconds: Annotated[
        int,
        Field(ge=1, le=86400, description="Longest request, streams included; the load balancer's own default is 30."),
    ] = 300
    direct_load_balancer: Annotated[
        bool,
        Field(
            description="Second way in, past Gateway and picker: an internal load balancer on port 8000, for clients"
            " with private addresses and for a Gateway without authentication, limits and TLS of its own."
        ),
    ] = False
