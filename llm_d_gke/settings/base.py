"""Common base of all settings: unknown keys are refused, names are camelCase in YAML and snake_case in Python."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


class Settings(BaseModel):
    """A frozen group of settings. `extra="forbid"`: a misspelled key is an error, never ignored."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True, defer_build=True
    )

    @classmethod
    def defaults(cls) -> Self:
        """The group as it is without a key in the stack file: the default of the field that holds it.

        `cls()` is equal, but builds the group's validator, which would make every import of the settings slower.
        """
        return super().model_construct()


REPLACES = "x-replaces"
FORM = "x-form"
MERGED_BY = "x-merged-by"


def replaces(*what: str) -> dict[str, JsonValue]:
    """Marks a field (`json_schema_extra`): another value replaces these, and ends what runs in them."""
    return {REPLACES: list(what)}


def merged_by(key: str) -> dict[str, JsonValue]:
    """Marks a list (`json_schema_extra`): its elements are merged onto those of `llm-d:base` with the same key.

    A list without the mark is replaced as a whole.
    """
    return {MERGED_BY: key}


def form(words: str) -> dict[str, JsonValue]:
    """Describes the text a field takes (`json_schema_extra`), for messages: "a zone or a region in lower case".

    A field with a pattern has one, and `examples` beside it: messages show these, never the pattern.
    """
    return {FORM: words}


def refusal(rule_id: str, rule: str, fix: str) -> PydanticCustomError:
    """The error a validator raises. `rule_id` is an id of planning.rules, `rule` the reason, `fix` the correction."""
    return PydanticCustomError(rule_id, "{rule}; {fix}", {"rule": rule, "fix": fix})


def listed_once(by: str | None = None) -> AfterValidator:
    """Marks a list in which an element counts once: one that repeats, or has an earlier one's attribute, is refused."""

    def check(elements: Sequence[Any]) -> Sequence[Any]:
        names = [str(element if by is None else getattr(element, by)) for element in elements]
        twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
        if twice is not None:
            raise refusal("LLMD-SETTING-REPEATED", f"{twice} is listed twice, and counts once", f"list {twice} once")
        return elements

    return AfterValidator(check)
