"""Which media a server takes, as its extra arguments say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from llm_d_gke.planning.engine_support.options import option_value

_TEXT_ONLY = "--language-model-only"
_LIMITS = "--limit-mm-per-prompt"
# Media that the tower of a vision-language model reads.
SEEN = ("image", "video")


def limits_of(arguments: Sequence[str]) -> Mapping[str, object] | None:
    """Most items of each medium in a request, as far as stated. None where what is stated is not read."""
    stated = option_value(arguments, _LIMITS)
    parts = {medium: option_value(arguments, f"{_LIMITS}.{medium}") for medium in SEEN}
    try:
        limits = json.loads(stated) if stated is not None else {}
        limits = {**limits, **{medium: int(most) for medium, most in parts.items() if most is not None}}
    except (ValueError, TypeError):
        return None
    # The longer form states sizes beside the number: {"image": {"count": 2, "width": 512}}.
    return {medium: most.get("count", 1) if isinstance(most, Mapping) else most for medium, most in limits.items()}


def takes_no(medium: str, arguments: Sequence[str]) -> bool:
    """Whether a medium is switched off, or limited in a way that is not read."""
    limits = limits_of(arguments)
    if _TEXT_ONLY in arguments or limits is None:
        return True
    most = limits.get(medium, 1)
    return not isinstance(most, int) or most < 1


def is_off(medium: str, arguments: Sequence[str]) -> bool:
    """Whether a medium is certainly switched off."""
    return _TEXT_ONLY in arguments or (limits_of(arguments) or {}).get(medium) == 0


def is_text_only(arguments: Sequence[str]) -> bool:
    """Whether vLLM leaves the tower out: `_mark_tower_model` of models/interfaces.py (0.16.0 to 0.31.0)."""
    return all(is_off(medium, arguments) for medium in SEEN)
