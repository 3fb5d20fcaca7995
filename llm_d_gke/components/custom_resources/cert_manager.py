"""Issuer and Certificate, `cert-manager.io/v1`: the fields that this program sets."""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Part, Spec

_VERSION = "cert-manager.io/v1"


class SelfSigned(Part):
    """A self-signed issuer: every certificate is signed with its own key."""


class IssuerSpec(Spec, api_version=_VERSION, kind="Issuer"):
    self_signed: SelfSigned = Field(default_factory=SelfSigned)


class IssuerRef(Part):
    group: Literal["cert-manager.io"] = "cert-manager.io"
    kind: Literal["ClusterIssuer", "Issuer"]
    name: str


class PrivateKey(Part):
    """Key of a certificate. Google's load balancers accept only this curve or RSA with 2048 bits.

    Source: Google Cloud documentation, "Self-managed SSL certificates".
    """

    algorithm: Literal["ECDSA"] = "ECDSA"
    size: Literal[256] = 256
    # Replace the key at each renewal. Before cert-manager 1.18 the default was to keep it.
    rotation_policy: Literal["Always"] = "Always"


class Subject(Part):
    """Subject of a certificate. A self-signed one needs it as issuer's name, which is not empty (RFC 5280, 4.1.2.4)."""

    organizations: list[str] = ["llm-d"]


class CertificateSpec(Spec, api_version=_VERSION, kind="Certificate"):
    secret_name: str
    dns_names: Annotated[list[str], Field(min_length=1)]
    subject: Subject | None = None
    usages: list[str] = ["digital signature", "server auth"]
    private_key: PrivateKey = Field(default_factory=PrivateKey)
    issuer_ref: IssuerRef
