"""EndpointPickerConfig: its shapes, what this program writes with them, and what is wrong with what users write."""

from planning.picker_config.build import (
    PreciseIndex,
    Weights,
    can_disaggregate,
    can_index_precisely,
    disaggregated,
    load_and_prefix,
)

__all__ = [
    "PreciseIndex",
    "Weights",
    "can_disaggregate",
    "can_index_precisely",
    "disaggregated",
    "load_and_prefix",
]
