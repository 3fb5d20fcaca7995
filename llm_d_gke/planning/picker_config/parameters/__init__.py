"""Parameter schemas of plugins, by their names in the catalog."""

from __future__ import annotations

import inspect
from types import ModuleType

from llm_d_gke.planning.picker_config.parameters import base, data, filters, flow, handlers, producers, scorers
from llm_d_gke.planning.picker_config.parameters.base import NoParameters, Parameters


def _shapes(module: ModuleType) -> dict[str, type[Parameters]]:
    return {
        name: shape
        for name, shape in vars(module).items()
        if inspect.isclass(shape) and issubclass(shape, Parameters) and shape.__module__ == module.__name__
    }


SHAPES: dict[str, type[Parameters]] = {
    name: shape
    for module in (base, filters, scorers, handlers, producers, flow, data)
    for name, shape in _shapes(module).items()
}

__all__ = ["SHAPES", "NoParameters", "Parameters"]
