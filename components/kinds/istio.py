"""Istio's DestinationRule, for a Gateway to reach pickers and model servers, and the Sail operator's Istio."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from components.kinds.base import Part, Spec


class ClientTls(Part):
    """TLS without a look at the certificate: pickers sign their own when they start."""

    mode: Literal["SIMPLE"] = "SIMPLE"
    insecure_skip_verify: bool = True


class TrafficPolicy(Part):
    tls: ClientTls


class DestinationRuleSpec(Spec):
    api_version_of_kind: ClassVar[str] = "networking.istio.io/v1"
    kind_of_spec: ClassVar[str] = "DestinationRule"

    host: str
    traffic_policy: TrafficPolicy


class IstioSpec(Spec):
    """A control plane that the Sail operator makes; `values` are those of Istio's own charts, as far as it has them."""

    api_version_of_kind: ClassVar[str] = "sailoperator.io/v1"
    kind_of_spec: ClassVar[str] = "Istio"

    namespace: str
    version: str
    values: dict[str, Any]
