"""The branch, tag or commit of weights from the Hugging Face Hub."""

from __future__ import annotations

import re

from llm_d_gke.catalog.schema import Model
from llm_d_gke.settings.models import ModelSettings


def revision_of(settings: ModelSettings, model: Model | None) -> str | None:
    """Branch, tag or commit of weights from the Hub; None for its branch main, and for weights from elsewhere."""
    if settings.source.kind != "hugging-face":
        return None
    return settings.source.revision or (model.revision if model else None)


def commit_of(settings: ModelSettings, model: Model | None) -> str | None:
    """The commit of weights from the Hub; None for a branch or tag, which its owners can move."""
    revision = revision_of(settings, model)
    return revision if revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision) else None
