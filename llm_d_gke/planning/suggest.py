"""Suggests the nearest of the allowed words for a misspelled one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence

from llm_d_gke.planning.rules import RULES

_SIMILAR = 0.7
_RULE = "LLMD-"
# Billions of parameters in the name of a model: 7b, 0.6b, a22b.
_SIZES = re.compile(r"(?<![0-9a-z.])a?[0-9]+(?:\.[0-9]+)?b(?![0-9a-z])")

_TUNED = re.compile(r"-(?:instruct|chat|it)$", re.IGNORECASE)


def nearest(word: str, choices: Iterable[str], threshold: float = _SIMILAR) -> str | None:
    """The choice that is written most like `word`, None where none is similar.

    Case, dashes, underscores, dots and blanks count for nothing. A choice that contains the word, is contained in it,
    or begins with the same six letters counts as similar.
    """
    by_letters: dict[str, str] = {}
    for choice in choices:
        by_letters.setdefault(letters(choice), choice)
    # A version is written with and without its v.
    letters_of_word = letters(re.sub(r"^v(?=[0-9])", "", word.strip().lower()))
    if not letters_of_word:
        return None
    if letters_of_word in by_letters:
        return by_letters[letters_of_word]
    scored = [(*_similarity(letters_of_word, letters), choice) for letters, choice in by_letters.items()]
    similarity, _, choice = max(scored, default=(0.0, 0.0, ""), key=lambda entry: entry[:2])
    return choice if similarity >= threshold else None


def nearest_model(text: str, models: Iterable[str], threshold: float = _SIMILAR) -> str | None:
    """The model that is written most like `text`; where that names a size, of the same size.

    Qwen3-8B follows instructions without the word in its name: a model that lacks no more than this word comes first.
    """
    sizes = set(_SIZES.findall(text.lower()))
    same_size = [model for model in models if sizes <= set(_SIZES.findall(model.lower()))]
    plain = letters(_TUNED.sub("", text.strip()))
    without = [model for model in same_size if letters(model) == plain != letters(text)]
    written = any(letters(model) == letters(text) for model in same_size)
    return without[0] if without and not written else nearest(text, same_size, threshold)


def nearest_place(text: str, places: Sequence[str], threshold: float = _SIMILAR) -> str | None:
    """`europe-west4` for `eu-west4` or `eu-w4`: each part may be abbreviated. Else what is written alike."""
    # Of each part any letters may be left out before its number.
    parts = [re.sub(r"(?<=[a-z])(?=[0-9]|$)", "[a-z]*", re.escape(part)) for part in text.strip().lower().split("-")]
    pattern = re.compile("-".join(parts)) if all(parts) else None
    abbreviated = [place for place in places if pattern is not None and pattern.fullmatch(place)]
    return abbreviated[0] if abbreviated else nearest(text, places, threshold)


def nearest_rule(text: str) -> str | None:
    """The id of the rule that is written most like `text`. Their common beginning would make all of them similar."""
    names = {name.removeprefix(_RULE): name for name in RULES}
    return names.get(nearest(text.strip().upper().removeprefix(_RULE), names) or "")


def did_you_mean(word: str, choices: Collection[str]) -> str:
    """The correction of a word: the nearest choice, and all of them where they are few enough to read."""
    close = nearest(word, choices)
    listed = ", ".join(choices)
    if close is None:
        return f"use one of {listed}" if len(choices) > 1 else f"use {listed}"
    return f"did you mean {close}? All of them: {listed}" if len(choices) > 1 else f"use {close}"


def _similarity(first: str, other: str) -> tuple[float, float]:
    """The similarity, and the share of common letters, which decides between choices that are equally similar."""
    ratio = difflib.SequenceMatcher(a=first, b=other, autojunk=False).ratio()
    short, long = sorted((first, other), key=len)
    contained = len(short) >= 2 and short in long
    alike = contained or (len(short) >= 6 and first[:6] == other[:6])
    return max(ratio, 0.75) if alike else ratio, ratio


def are_alike(first: str, other: str) -> bool:
    """Whether two different names are one but for case and separators. `-1.5B` and `-15B` are two sizes."""
    sizes = [_SIZES.findall(name.lower()) for name in (first, other)]
    return first != other and letters(first) == letters(other) and sizes[0] == sizes[1]


def letters(text: str) -> str:
    """A name without capitals, hyphens and underscores, so that spellings of one name are equal."""
    return re.sub(r"[^a-z0-9]", "", text.lower())
