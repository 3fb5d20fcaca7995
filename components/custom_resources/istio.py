"""Istio's DestinationRule, for connections to pickers and model servers, and the Sail operator's Istio."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from components.custom_resources.base import Part, Spec


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


class DestinationRuleSpec(Spec):
    api_version_of_kind: ClassVar[str] = "networking.istio.io/v1"
    kind_of_spec: ClassVar[str] = "DestinationRule"

    host: str
    traffic_policy: TrafficPolicy


class IstioSpec(Spec):
    """A control plane that the Sail operator installs. `values` are the Istio chart values that the CRD has."""

    api_version_of_kind: ClassVar[str] = "sailoperator.io/v1"
    kind_of_spec: ClassVar[str] = "Istio"

    namespace: str
    version: str
    values: dict[str, Any]
