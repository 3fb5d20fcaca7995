"""What all settings share: unknown keys are refused, names are camelCase in YAML and snake_case here."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel


class Settings(BaseModel):
    """A frozen group of settings. `extra="forbid"`: a misspelt key is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


REPLACES = "x-replaces"


def replaces(*what: str) -> dict[str, JsonValue]:
    """Marks a field (`json_schema_extra`): another value replaces these, and ends what runs in them."""
    return {REPLACES: list(what)}
