"""One name in requests over several models: how much of the traffic each of them gets."""

from typing import Annotated

from pydantic import Field

from llm_d_gke.settings.base import Settings
from llm_d_gke.settings.models import RequestName

Weight = Annotated[int, Field(ge=0, le=1_000_000)]


class SplitSettings(Settings):
    """Requests for `name` are divided among models, a new version beside the old one, say. Pattern multi-model."""

    name: Annotated[RequestName, Field(description="Name in requests, no model's own.")]
    weights: Annotated[
        dict[str, Weight],
        Field(
            min_length=1,
            max_length=16,
            description="Share by model name (servedName): its weight over the sum of all. 0 keeps a model ready.",
            examples=[{"first-model": 90, "second-model": 10}],
        ),
    ]
