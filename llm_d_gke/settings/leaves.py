"""Settings leaf by leaf, as users write them: path, value, and what a change of it replaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from llm_d_gke.settings.base import REPLACES, Settings

HIDDEN = "(hidden)"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One setting. `group` is the model it is a field of; `path` has the names of the stack file."""

    path: tuple[str | int, ...]
    value: object
    info: FieldInfo
    group: Settings
    name: str

    @property
    def display_text(self) -> str:
        """The value as text. A secret stays one."""
        return display_text(self.value)

    @property
    def is_default(self) -> bool:
        return bool(self.value == self.info.get_default(call_default_factory=True, validated_data={}))

    @property
    def replaces(self) -> tuple[str, ...]:
        """The resources that a change of the value replaces: `cluster`, `accelerator pool`."""
        extra: Any = self.info.json_schema_extra
        return tuple(extra.get(REPLACES, ())) if isinstance(extra, Mapping) else ()


def leaves(group: Settings, path: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    """Every leaf below a group, including defaults. Lists of groups are traversed; other lists are one leaf."""
    for name, info in type(group).model_fields.items():
        value, key_path = getattr(group, name), (*path, info.alias or name)
        if isinstance(value, Settings):
            yield from leaves(value, key_path)
        elif isinstance(value, tuple) and value and isinstance(value[0], Settings):
            for index, item in enumerate(value):
                yield from leaves(item, (*key_path, index))
        else:
            yield Leaf(path=key_path, value=value, info=info, group=group, name=name)


def display_text(value: object) -> str:
    """Any setting's value as text, without secrets. A whole number reads the same as `3` and as `3.0`."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(display_text, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {display_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "(not set)"}[value]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
