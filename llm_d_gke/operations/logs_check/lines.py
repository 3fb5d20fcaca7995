"""The lines that vLLM prints at its start: log_lines.yaml."""

import functools
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from llm_d_gke.catalog.reading import parse_yaml

NUMBER = r"(-?[\d,]+(?:\.\d+)?)"


class Lines(BaseModel):
    """Fields of rows by the words or patterns that they are read from. Accelerators have a pattern each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arguments: Mapping[str, str]
    configured: Mapping[str, str]
    largest: Mapping[str, tuple[str, ...]]
    smallest: Mapping[str, tuple[str, ...]]
    of_all_devices: Mapping[str, str]
    versions: tuple[str, ...]
    failures: tuple[str, ...]
    accelerators: Mapping[str, str]


@functools.cache
def load_lines() -> Lines:
    text = Path(__file__).with_name("log_lines.yaml").read_text(encoding="utf-8")
    return Lines.model_validate(parse_yaml(text.replace("{number}", NUMBER)))
