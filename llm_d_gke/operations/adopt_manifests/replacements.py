"""What takes the place of fields, flags and objects of other setups: replacements.yaml."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from llm_d_gke.catalog.reading import parse_yaml

Value = Literal["text", "int", "float", "tokens", "whole", "switch"]


class Replacements(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Mapping[str, tuple[str, Value]]
    by_hand: Mapping[str, str]
    follows: frozenset[str]
    of_adapters: frozenset[str]
    node_labels: frozenset[str]
    objects: Mapping[str, str]
    inference_service: Mapping[str, str]
    model_spec: Mapping[str, str]
    vllm_config: Mapping[str, str]


@functools.cache
def replacements() -> Replacements:
    text = Path(__file__).with_name("replacements.yaml").read_text(encoding="utf-8")
    return Replacements.model_validate(parse_yaml(text))
