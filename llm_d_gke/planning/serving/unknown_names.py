"""Warnings about names that an engine's version may or may not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from llm_d_gke.catalog.engine_tables import EngineFacts, facts_of, is_later, may_have
from llm_d_gke.planning.served_model import ServedModel

_FIX = "try one replica first, or use a release with a newer engine"
Names = Literal["tool_parsers", "reasoning_parsers", "speculative_methods", "quantization"]
"""A field of the tables that lists names."""


def has_name(served: ServedModel, *path: str | int, value: str, names: Names) -> bool | None:
    """Whether the engine's version has a name. None, and a warning, where the tables do not decide."""
    # A table may lack the names, which not every version has in a readable form.
    tables = [facts for facts in facts_of(served.version) if getattr(facts, names)]
    lacking = [facts for facts in tables if value not in getattr(facts, names)]
    may = may_have(served.version, lambda facts: value in getattr(facts, names))
    if not tables:
        warn_unknown(served, *path, value=value)
    elif not lacking:
        return True
    elif len(lacking) == len(tables) and not may:
        return False
    else:
        warn_disagreeing(served, *path, value=value, lacking=lacking)
    return None


def warn_unknown(served: ServedModel, *path: str | int, value: object) -> None:
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
