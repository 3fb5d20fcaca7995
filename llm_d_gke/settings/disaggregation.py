"""Prefill and decode on separate model servers."""

from typing import Annotated

from pydantic import Field

from llm_d_gke.settings.autoscaling import AutoscalingSettings
from llm_d_gke.settings.base import Settings


class PrefillSettings(Settings):
    """The servers that compute prompts. What is not given here is as on the model's own servers, which decode."""

    replicas: Annotated[int, Field(ge=1, le=256, description="Servers that compute prompts.")] = 1
    autoscaling: Annotated[
        AutoscalingSettings | None,
        Field(description="In place of `replicas`: limits between which their number follows the load."),
    ] = None
    tensor_parallel: Annotated[
        int | None,
        Field(ge=1, le=256, description="Accelerators one of them is spread over; by default as many as for decode."),
    ] = None
    gpu_memory_utilization: Annotated[
        float | None, Field(gt=0.05, lt=1, description="Share of each accelerator's memory vLLM may take.")
    ] = None
    max_num_seqs: Annotated[int | None, Field(ge=1, le=65536, description="Most sequences in one batch.")] = None
    max_num_batched_tokens: Annotated[int | None, Field(ge=16, description="Most tokens in one batch.")] = None


class DisaggregationSettings(Settings):
    """Which prompts are sent to prefill servers."""

    prefill_from_tokens: Annotated[
        int,
        Field(
            ge=0,
            le=10_000_000,
            description="Tokens of a prompt, beyond those the decoding replica has cached, from which it goes to a"
            " prefill server; 0: always.",
        ),
    ] = 256
