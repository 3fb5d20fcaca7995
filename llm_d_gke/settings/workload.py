"""Expected traffic and latency objectives of a model. Used for estimates, never for limits."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from llm_d_gke.settings.base import Settings, refusal


class LoadSettings(Settings):
    """The load a model is planned for. Everything that follows from it is an estimate with a stated error."""

    prompt_tokens: Annotated[
        int | None,
        Field(ge=1, le=10_000_000, description="Tokens of a prompt; by default 128, or half of a short maxModelLen."),
    ] = None
    output_tokens: Annotated[
        int | None,
        Field(
            ge=1, le=10_000_000, description="Tokens of an answer; by default 128, or a quarter of a short maxModelLen."
        ),
    ] = None
    concurrency: Annotated[
        int | None,
        Field(ge=1, le=1_000_000, description="Requests in flight over all replicas; by default 16 for each replica."),
    ] = None
    requests_per_second: Annotated[
        float | None, Field(gt=0, le=1_000_000, description="Rate to be served, instead of `concurrency`.")
    ] = None
    time_to_first_token_ms: Annotated[
        int | None, Field(ge=1, le=3_600_000, description="Longest mean time to first token, in milliseconds.")
    ] = None
    time_per_output_token_ms: Annotated[
        float | None, Field(gt=0, le=600_000, description="Longest mean time per output token, in milliseconds.")
    ] = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if self.concurrency is not None and self.requests_per_second is not None:
            raise refusal(
                "LLMD-LOAD-ONE-MEASURE",
                "concurrency and requestsPerSecond both state the load, and a plan is made for one of them",
                "keep one of them",
            )
        return self
