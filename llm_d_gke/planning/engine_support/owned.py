"""Arguments of `vllm serve` that a setting or the planner owns. The table is owned_options.yaml."""

import functools
from collections.abc import Mapping
from pathlib import Path

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.catalog.schema import Entry


class Owned(Entry):
    """Why the planner sets arguments itself, and what to write instead."""

    options: tuple[str, ...]
    why: str
    instead: str


@functools.cache
def owned_options() -> Mapping[str, Owned]:
    """Arguments that a setting or the planner owns, by flag."""
    groups = map(Owned.model_validate, read_yaml(Path(__file__).with_name("owned_options.yaml")))
    return {option: owned for owned in groups for option in owned.options}
