"""What the modules of the catalog share: reading YAML files, naming wrong fields."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

# libyaml reads ten times faster, but PyYAML is sometimes built without it. Both loaders are safe.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Content = TypeVar("Content", bound=BaseModel)


def parse_yaml(text: str | bytes) -> Any:
    """The content of one document. Raises yaml.YAMLError, in libyaml's words."""
    return yaml.load(text, Loader=LOADER)  # noqa: S506 (see above)


def read_yaml(file: Path) -> Any:
    """The content of a file. Raises OSError or yaml.YAMLError."""
    return parse_yaml(file.read_text(encoding="utf-8"))


def reader(kind: type[Content], name: str) -> Callable[[], Content]:
    """A function that reads and validates a file of the catalog, once.

    It raises pydantic's ValidationError naming the field.
    """

    @functools.cache
    def read() -> Content:
        return kind.model_validate(read_yaml(Path(__file__).with_name(name)))

    return read


def problems(error: ValidationError) -> str:
    """The fields of an entry that are wrong, and why: `memory_mib: Field required; zones: ...`."""
    return "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors())
