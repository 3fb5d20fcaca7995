"""InferencePool, `inference.networking.k8s.io/v1` (Gateway API Inference Extension, api/v1)."""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.components.custom_resources.base import Part, Spec

GROUP = "inference.networking.k8s.io"


class Selector(Part):
    """Selects pods of the pool's namespace by labels. The API has no match expressions."""

    match_labels: Annotated[dict[str, str], Field(min_length=1, max_length=64)]


class Port(Part):
    number: Annotated[int, Field(ge=1, le=65535)]


class EndpointPickerRef(Part):
    """The endpoint picker's Service. Without a picker, `FailClose` returns 503 and `FailOpen` uses any endpoint."""

    name: str
    port: Port
    failure_mode: Literal["FailOpen", "FailClose"]


class InferencePoolSpec(Spec, api_version=f"{GROUP}/v1", kind="InferencePool"):
    selector: Selector
    target_ports: Annotated[list[Port], Field(min_length=1, max_length=8)]
    endpoint_picker_ref: EndpointPickerRef
