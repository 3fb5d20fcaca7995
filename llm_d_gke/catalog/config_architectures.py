"""Typed access to architectures.yaml: what a config.json leaves unsaid, by architecture."""

from collections.abc import Mapping
from typing import Literal

from .reading import reader
from .schema import Entry

Bias = Literal["none", "qkv", "all"]


class Architectures(Entry):
    """The whole of architectures.yaml."""

    biases: Mapping[str, Literal["none", "qkv", "all", "flag"]]
    llava_biases: Mapping[str, Bias]
    refused: Mapping[str, str]
    defaults: Mapping[str, Mapping[str, int]]
    towers: Mapping[str, str]
    tower_defaults: Mapping[str, Mapping[str, int]]
    tied: tuple[str, ...]
    two_matrices: tuple[str, ...]
    output_gate: tuple[str, ...]

    def defaults_of(self, architecture: str) -> Mapping[str, int]:
        """Of the longest beginning that fits."""
        fitting = [begin for begin in self.defaults if architecture.startswith(begin)]
        return self.defaults[max(fitting, key=len)] if fitting else {}


load_architectures = reader(Architectures, "architectures.yaml")
