"""Warnings about names that an engine's version may or may not have."""

from __future__ import annotations

from collections.abc import Sequence

from llm_d_gke.catalog.engine_tables import EngineFacts, is_later
from llm_d_gke.planning.served_model import ServedModel

_FIX = "try one replica first, or use a release with a newer engine"


def warn_unknown(served: ServedModel, *path: str, value: object) -> None:
    """No table applies to the version."""
    served.warning(
        "LLMD-ENGINE-FEATURE-UNKNOWN",
        *path,
        value=value,
        rule=f"the catalog does not list the values that vLLM {served.version} accepts here, so this value is not"
        " checked",
        fix=_FIX,
    )


def warn_disagreeing(served: ServedModel, *path: str | int, value: object, lacking: Sequence[EngineFacts]) -> None:
    """The version has no table. Of its two neighbors one lacks the name, or it is newer than every table."""
    served.warning(
        "LLMD-ENGINE-FEATURE-UNKNOWN",
        *path,
        value=value,
        rule=f"the catalog does not list the values that vLLM {served.version} accepts here, and"
        f" {' and '.join(facts.cited for facts in lacking)}, the nearest that it lists, does not have this one",
        fix="try one replica first" if is_later(served.version) else _FIX,
    )
