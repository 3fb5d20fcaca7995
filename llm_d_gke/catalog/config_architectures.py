"""Typed access to architectures.yaml: what a config.json leaves unsaid, by architecture."""

from collections.abc import Mapping
from typing import Any, Literal

from .reading import reader
from .schema import Entry

Bias = Literal["none", "qkv", "all"]


class QuantizationValues(Entry):
    """Values of a key of quantization_config, of which the methods take no other between two versions of vLLM."""

    methods: tuple[str, ...]
    key: str
    since: str
    before: str = "9"
    values: tuple[str, ...]
    beginning: str | None = None  # further values begin so

    def refuses(self, quantization: Mapping[str, Any]) -> bool:
        """Whether the checkpoint states another value. Case does not matter."""
        value = quantization.get(self.key)
        if value is None or str(quantization.get("quant_method")).lower() not in self.methods:
            return False
        begins = self.beginning is not None and str(value).startswith(self.beginning)
        return not begins and str(value).lower() not in [item.lower() for item in self.values]


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
    quantization_keys: Mapping[str, tuple[str, ...]]
    quantization_values: tuple[QuantizationValues, ...]
    rope_keys: Mapping[str, tuple[str, ...]]
    layer_types: tuple[str, ...]

    def missing_key(self, quantization: object) -> str | None:
        """The first key of a quantization_config that its method reads without a default, and that is not there."""
        if not isinstance(quantization, Mapping):
            return None
        needed = self.quantization_keys.get(str(quantization.get("quant_method")).lower(), ())
        return next((keys for keys in needed if not any(key in quantization for key in keys.split(" or "))), None)

    def defaults_of(self, architecture: str) -> Mapping[str, int]:
        """Of the longest beginning that fits."""
        fitting = [begin for begin in self.defaults if architecture.startswith(begin)]
        return self.defaults[max(fitting, key=len)] if fitting else {}


load_architectures = reader(Architectures, "architectures.yaml")
