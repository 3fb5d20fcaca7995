"""The model router: which model a request is for."""

from typing import Annotated, Literal

from pydantic import Field

from llm_d_gke.settings.base import Settings
from llm_d_gke.settings.picker import Cpu, Memory


class RouterSettings(Settings):
    """Reads the model's name in the body of every request. Pattern multi-model has one in front of all models."""

    replicas: Annotated[
        int, Field(ge=1, le=10, description="Model routers; without one no request of any model is answered.")
    ] = 2
    failure_mode: Annotated[
        Literal["open", "close"],
        Field(description="Without a router: requests go on unread, to where no model is (404), or are refused (500)."),
    ] = "close"
    cpu: Annotated[Cpu, Field(description="CPU request of a router.")] = "100m"
    memory: Annotated[Memory, Field(description="Memory request and limit of a router: it holds whole bodies.")] = (
        "512Mi"
    )
