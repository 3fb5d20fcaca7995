"""Issuer and Certificate, `cert-manager.io/v1`. Only what this program says."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from components.custom_resources.base import Part, Spec

_VERSION = "cert-manager.io/v1"


class SelfSigned(Part):
    """Every certificate is signed with its own key."""


class IssuerSpec(Spec):
    api_version_of_kind: ClassVar[str] = _VERSION
    kind_of_spec: ClassVar[str] = "Issuer"

    self_signed: SelfSigned = SelfSigned()


class IssuerRef(Part):
    group: Literal["cert-manager.io"] = "cert-manager.io"
    kind: Literal["ClusterIssuer", "Issuer"]
    name: str


class PrivateKey(Part):
    """Google's load balancers take this curve or RSA of 2048 bits ("Self-managed SSL certificates"), and no other."""

    algorithm: Literal["ECDSA"] = "ECDSA"
    size: Literal[256] = 256
    # A key that outlives its certificate makes renewing worth little; before cert-manager 1.18 it did by default.
    rotation_policy: Literal["Always"] = "Always"


class Subject(Part):
    """Of a certificate that signs itself it is the issuer's name too, which must not be empty (RFC 5280, 4.1.2.4)."""

    organizations: list[str] = ["llm-d"]


class CertificateSpec(Spec):
    api_version_of_kind: ClassVar[str] = _VERSION
    kind_of_spec: ClassVar[str] = "Certificate"

    secret_name: str
    dns_names: Annotated[list[str], Field(min_length=1)]
    subject: Subject | None = None
    usages: list[str] = ["digital signature", "server auth"]
    private_key: PrivateKey = PrivateKey()
    issuer_ref: IssuerRef
