"""Common base of all parameters: unknown names and wrong types are refused, as by a strict JSON decoder."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Strict(BaseModel):
    """A group of values of the picker's configuration; camelCase outside, snake_case here."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True, defer_build=True
    )


class Parameters(Strict):
    """Parameters of a plugin. Defaults are the picker's own; a value left out is not written."""


class NoParameters(Parameters):
    """A plugin that takes none."""


class Reference:
    """Marks a value that is the name of another plugin of the same configuration."""


PluginName = Annotated[str, Field(min_length=1), Reference()]

# Go durations: "500ms", "1h30m".
Duration = Annotated[str, Field(pattern=r"^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$")]
# Go's time.Duration without a text form, in nanoseconds.
Nanoseconds = Annotated[int, Field(ge=0)]

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]
Text = Annotated[str, Field(min_length=1)]
