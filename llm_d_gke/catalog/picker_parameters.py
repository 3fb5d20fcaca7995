"""Typed access to picker_parameters.yaml: the parameters that plugins of endpoint pickers take."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from .reading import read_yaml
from .schema import Entry

_FILE = Path(__file__).with_name("picker_parameters.yaml")


class Parameter(Entry):
    """One parameter: of a `kind`, one of `choices`, or a list of `several`, from `least` to `most` of them."""

    kind: str | None = None
    choices: tuple[str, ...] = ()
    several: str | None = None
    least: int | None = None
    most: int | None = None
    default: Any = None

    @property
    def is_required(self) -> bool:
        return "default" not in self.model_fields_set


class ParameterGroup(Entry):
    """Parameters by name, those of the group `like` first.

    `flat` are older names of values of groups in it, by their path; a picker takes them in place of those groups.
    """

    like: str | None = None
    flat: Mapping[str, str] = Field(default_factory=dict)
    parameters: Mapping[str, Parameter]


@functools.cache
def load_picker_parameters() -> Mapping[str, ParameterGroup]:
    """Read and validate picker_parameters.yaml, once. Raises pydantic's ValidationError naming the field."""
    return {
        name: ParameterGroup(like=group.pop("like", None), flat=group.pop("flat", {}), parameters=group)
        for name, group in read_yaml(_FILE).items()
    }
