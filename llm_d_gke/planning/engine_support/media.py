"""Which media a server takes, as its extra arguments say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from llm_d_gke.planning.engine_support.options import option_value

_TEXT_ONLY = "--language-model-only"
_LIMITS = "--limit-mm-per-prompt"
_PROCESSOR = "--mm-processor-kwargs"
_TOWER_MODE = "--mm-encoder-tp-mode"
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


def has_whole_tower(arguments: Sequence[str]) -> bool:
    """Whether every device is to have all of the tower, and its part of the images."""
    return option_value(arguments, _TOWER_MODE) == "data"


def most_pixels(arguments: Sequence[str]) -> int | None:
    """Pixels of the largest image, as --mm-processor-kwargs of Qwen2-VL limits them. None where nothing readable is."""
    try:
        stated = json.loads(option_value(arguments, _PROCESSOR) or "{}")
    except ValueError:
        return None
    stated = stated if isinstance(stated, Mapping) else {}
    size = stated.get("size")
    for part, inside in (
        (f"{_PROCESSOR}.max-pixels", stated.get("max_pixels")),
        (f"{_PROCESSOR}.size.longest-edge", size.get("longest_edge") if isinstance(size, Mapping) else None),
    ):
        pixels = option_value(arguments, part) or inside
        if str(pixels).isdecimal() and int(str(pixels)) > 0:
            return int(str(pixels))
    return None
