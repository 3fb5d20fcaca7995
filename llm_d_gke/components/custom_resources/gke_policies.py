"""GKE's policies for load balancer backends, `networking.gke.io/v1`.

Source: GoogleCloudPlatform/gke-gateway-api, apis/networking/v1.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llm_d_gke.components.custom_resources.base import Named, Part, PolicyTarget, Spec

_GROUP = "networking.gke.io/v1"


class HttpCheck(Part):
    """HTTP health check. The CRD refuses `port` without USE_FIXED_PORT."""

    port_specification: Literal["USE_FIXED_PORT"] = "USE_FIXED_PORT"
    port: Annotated[int, Field(ge=1, le=65535)]
    request_path: Annotated[str, Field(pattern=r"^/")]


class GrpcCheck(Part):
    """gRPC health check on a separate port."""

    port_specification: Literal["USE_FIXED_PORT"] = "USE_FIXED_PORT"
    port: Annotated[int, Field(ge=1, le=65535)]


class CheckConfig(Part):
    """Protocol of the health check. `type` names the block that is set."""

    type: Literal["HTTP", "GRPC"] = "HTTP"
    http_health_check: HttpCheck | None = None
    grpc_health_check: GrpcCheck | None = None

    @model_validator(mode="after")
    def _block_of_the_type(self) -> Self:
        blocks = {"HTTP": self.http_health_check, "GRPC": self.grpc_health_check}
        if [kind for kind, block in blocks.items() if block is not None] != [self.type]:
            raise ValueError(f"type {self.type} goes with its own block and no other")
        return self


class CheckDefault(Part):
    check_interval_sec: Annotated[int, Field(ge=1, le=300)]
    timeout_sec: Annotated[int, Field(ge=1, le=300)]
    healthy_threshold: Annotated[int, Field(ge=1, le=10)] = 1
    unhealthy_threshold: Annotated[int, Field(ge=1, le=10)] = 2
    config: CheckConfig

    @model_validator(mode="after")
    def _timeout_within_interval(self) -> Self:
        if self.timeout_sec > self.check_interval_sec:
            raise ValueError("timeoutSec must not be longer than checkIntervalSec")
        return self


class HealthCheckPolicySpec(Spec, api_version=_GROUP, kind="HealthCheckPolicy"):
    target_ref: PolicyTarget
    default: CheckDefault


def health_check(
    target: PolicyTarget, interval: int, *, http: HttpCheck | None = None, grpc: GrpcCheck | None = None
) -> HealthCheckPolicySpec:
    """A policy that checks `target` every `interval` seconds, by HTTP or by gRPC."""
    config = CheckConfig(type="HTTP" if grpc is None else "GRPC", http_health_check=http, grpc_health_check=grpc)
    default = CheckDefault(check_interval_sec=interval, timeout_sec=interval, config=config)
    return HealthCheckPolicySpec(target_ref=target, default=default)


class Draining(Part):
    draining_timeout_sec: Annotated[int, Field(ge=0, le=3600)]


class Logging(Part):
    enabled: bool = True
    # Sampling rate in requests per million.
    sample_rate: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000_000


class IdentityAwareProxy(Part):
    """The definition spells one field with two capitals."""

    enabled: bool = True
    client_id: Annotated[str, Field(alias="clientID", min_length=1)]
    # A Secret of the namespace with the OAuth client's secret in its entry `key`.
    oauth2_client_secret: Annotated[Named, Field(alias="oauth2ClientSecret")]


class BackendDefault(Part):
    """Settings of every backend. Without `timeout_sec` the load balancer ends each response after 30 seconds,
    streams included.
    """

    timeout_sec: Annotated[int, Field(ge=1, le=2_147_483_647)]
    connection_draining: Draining
    logging: Logging = Field(default_factory=Logging)
    # Name of a regional policy of Cloud Armor.
    security_policy: str | None = None
    iap: IdentityAwareProxy | None = None


class GcpBackendPolicySpec(Spec, api_version=_GROUP, kind="GCPBackendPolicy"):
    target_ref: PolicyTarget
    default: BackendDefault


class GatewayDefault(Part):
    """`ssl_policy` is the name of a policy in the region of the load balancer."""

    ssl_policy: str


class GcpGatewayPolicySpec(Spec, api_version=_GROUP, kind="GCPGatewayPolicy"):
    target_ref: PolicyTarget
    default: GatewayDefault
