"""PodMonitoring, `monitoring.googleapis.com/v1` (Google Cloud Managed Service for Prometheus)."""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Part, Spec
from llm_d_gke.components.custom_resources.inference_pool import Selector


class SecretKey(Part):
    name: str
    key: str


class SecretSource(Part):
    secret: SecretKey


class Authorization(Part):
    type: Literal["Bearer"] = "Bearer"
    credentials: SecretSource


class ScrapeTls(Part):
    insecure_skip_verify: bool = True


class Endpoint(Part):
    """An endpoint to scrape, by plain HTTP unless `scheme` is set."""

    port: str
    scheme: Literal["https"] | None = None
    tls: ScrapeTls | None = None
    path: str = "/metrics"
    interval: Annotated[str, Field(pattern=r"^\d+s$")]
    authorization: Authorization | None = None


class PodMonitoringSpec(Spec, api_version="monitoring.googleapis.com/v1", kind="PodMonitoring"):
    selector: Selector
    endpoints: Annotated[list[Endpoint], Field(min_length=1)]
