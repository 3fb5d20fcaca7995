"""The endpoint picker: which replica answers a request."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from settings.base import Settings

Weight = Annotated[float, Field(ge=0, le=100)]


class ScorerWeights(Settings):
    """Weights of the picker's scorers. A scorer of weight 0 is left out."""

    prefix_cache: Annotated[Weight, Field(description="Prefers the replica that holds the prompt's prefix.")] = 3
    kv_cache_utilization: Annotated[Weight, Field(description="Prefers the replica with the emptiest KV cache.")] = 2
    queue: Annotated[Weight, Field(description="Prefers the replica with the shortest queue.")] = 2


class PickerSettings(Settings):
    """Endpoint picker of every model."""

    scorers: Annotated[ScorerWeights, Field(description="Weights of the scorers.")] = ScorerWeights()
    failure_mode: Annotated[
        Literal["open", "close"], Field(description="Without a picker: any replica answers, or none.")
    ] = "close"
    replicas: Annotated[
        int, Field(ge=1, le=5, description="Pickers of one pool; above 1 a leader is elected and the others wait.")
    ] = 1
    cpu: Annotated[str, Field(pattern=r"^\d+(\.\d+)?m?$", description="CPU request of a picker.")] = "500m"
    memory: Annotated[str, Field(pattern=r"^\d+(Mi|Gi)$", description="Memory request and limit of a picker.")] = "1Gi"
