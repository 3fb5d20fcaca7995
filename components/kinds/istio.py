"""DestinationRule, `networking.istio.io/v1`, as far as a Gateway needs it to reach pickers and model servers."""

from __future__ import annotations

from typing import ClassVar, Literal

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
