"""Names that a model's engine answers to."""

from __future__ import annotations

from planning.context import Site
from settings.models import ModelSettings


def splits_of(site: Site, model: ModelSettings) -> tuple[str, ...]:
    """Shared names that the model's engine has to answer to, whatever its weight is at the moment."""
    return tuple(split.name for split in site.settings.splits if model.name in split.weights)
