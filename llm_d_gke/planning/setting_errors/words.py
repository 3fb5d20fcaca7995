"""Translates settings and words of other programs into those of a stack file. The tables are words.yaml."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_snake

from llm_d_gke.catalog.engine_tables import load_facts, versions
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning.engine_support.options import SETTINGS
from llm_d_gke.planning.engine_support.owned import owned_options
from llm_d_gke.planning.suggest import letters, nearest
from llm_d_gke.settings.fields import keys_of
from llm_d_gke.settings.models import ModelSettings

_TABLES = Path(__file__).with_name("words.yaml")
# How alike a key and a setting have to be for one to be the other misspelled.
_MISSPELLED = 0.8

WORDS_FOR_DEFAULT = ("auto", "automatic", "default", "max", "none", "null", "unlimited", "")
# Factors of the short forms of numbers and times, and words for true and false.
THOUSANDS = {"k": 1024, "m": 1024**2, "g": 1024**3}
SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
YES, NO = (
    ("y", "yes", "on", "enabled", "enable", "1", "t"),
    ("n", "no", "off", "disabled", "disable", "0", "f", "false", "none"),
)
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def key_here(group: str, key: str) -> str | None:
    """The key of a group of settings for another program's key."""
    return _name_here(_word_tables()["keys"].get(group, {}), letters(key))


def choice_here(key: str, value: object) -> str | None:
    """The choice of a setting for another program's word."""
    return _name_here(_word_tables()["choices"].get(key, {}), letters(str(value)))


def choice_elsewhere(key: str, value: object) -> str | None:
    """What to do about a choice that is another setting here."""
    entry = _entry_with(_word_tables()["elsewhere"].get(key, ()), letters(str(value)))
    return entry["fix"] if entry is not None else None


def provider_setting(key: str) -> tuple[str, str]:
    """Why a setting of a provider has no effect, and what to do in its place."""
    entries = _word_tables()["provider_settings"]
    entry = entries.get(key, entries["*"])
    return entry["why"], entry["fix"]


def setting_elsewhere(word: str) -> str | None:
    """Where the setting is that other programs call so: its path, or a sentence."""
    place: str | None = _word_tables()["settings_elsewhere"].get(word)
    return place


def owner_of(path: tuple[str | int, ...], word: str, value: object = None) -> tuple[str, str] | None:
    """Why a key of a model or of a group is no setting, and what to write. None for other keys."""
    if len(path) > 1 and (entry := _entry_with(_word_tables()["derived_in_groups"].get(path[0], ()), word)) is not None:
        return entry["why"], entry["fix"]
    if len(path) != 3 or path[0] != "models":
        return None
    key = str(path[-1])
    entry = _entry_with(_word_tables()["derived_in_models"], word)
    if entry is not None:
        return entry["why"].format(key=key), "remove it"
    if nearest(key, keys_of(ModelSettings), _MISSPELLED) is not None:
        return None
    option = f"--{to_snake(key).replace('_', '-')}"
    if (owned := owned_options().get(option)) is not None:
        return owned.why, owned.instead
    if (setting := SETTINGS.get(option)) is not None:
        return f"it is an argument of vLLM, which a setting of another name makes: {option}", f"set models[].{setting}"
    if any(option in load_facts(version).options for version in versions()[-2:]):
        written = value if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        return (
            f"it is an argument of vLLM without a setting: {option}",
            f'write allowExtraArgs: true and extraArgs: ["{option}"], with its value as a second element if it has one'
            if written is None
            else f'write allowExtraArgs: true and extraArgs: ["{option}", "{written}"]',
        )
    return None


def region_meant(text: str) -> str | None:
    """The region of Google Cloud in or nearest to a city, a country or another cloud's region or zone."""
    words = (letters(re.sub(r"(?<=[0-9])[a-z]$", "", part.strip().lower())) for part in text.split(","))
    return next((region for word in words if (region := _name_here(_word_tables()["regions"], word))), None)


def is_other_accelerator(name: str) -> bool:
    """Whether a name belongs to a real accelerator that is not in the catalog."""
    return not set(re.split(r"[^a-z0-9]+", name.lower())).isdisjoint(_word_tables()["other_accelerators"])


@functools.cache
def _word_tables() -> Mapping[str, Any]:
    """words.yaml, read on the first unknown word: most stacks never need it."""
    tables: Mapping[str, Any] = read_yaml(_TABLES)
    return tables


def _name_here(names: Mapping[str, Iterable[str]], word: str) -> str | None:
    return next((name for name, words in names.items() if word in words), None)


def _entry_with(entries: Iterable[Mapping[str, Any]], word: str) -> Mapping[str, str] | None:
    return next((entry for entry in entries if word in entry["words"]), None)
