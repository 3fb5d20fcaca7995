"""External facts as data, each with source and date: accelerators, machine types, models, prices, releases.

    from llm_d_gke.catalog import load
    catalog = load()
    catalog.models["google/gemma-2b-it"].kv_heads

Adding an accelerator, a model or a price is an edit of the YAML beside this file, never of code.
"""

from __future__ import annotations

import functools

from .catalog import Catalog
from .loading import load_catalog
from .parameters import Parameters, count_parameters, download_gib, weights_gib
from .price_entries import Price, PriceItem
from .prices import Prices
from .schema import (
    Accelerator,
    Attention,
    Experts,
    LinearState,
    MachineType,
    Mla,
    Model,
    Provisioning,
    Quantization,
    Source,
    chips_of,
)


@functools.cache
def load() -> Catalog:
    """The catalog, read once per process. Raises CatalogError naming file and entry when the data is malformed."""
    return load_catalog()


__all__ = [
    "Accelerator",
    "Attention",
    "Catalog",
    "Experts",
    "LinearState",
    "MachineType",
    "Mla",
    "Model",
    "Parameters",
    "Price",
    "PriceItem",
    "Prices",
    "Provisioning",
    "Quantization",
    "Source",
    "chips_of",
    "count_parameters",
    "download_gib",
    "load",
    "weights_gib",
]
