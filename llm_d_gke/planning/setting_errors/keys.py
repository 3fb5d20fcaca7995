"""Keys that are no settings: the setting that was probably meant, or who decides it instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_origin

from pydantic.alias_generators import to_camel

from llm_d_gke.planning.findings import NAMESPACE, path_of, without_secrets
from llm_d_gke.planning.setting_errors.provider_settings import is_of_provider
from llm_d_gke.planning.setting_errors.values import valid_example
from llm_d_gke.planning.setting_errors.words import key_here, owner_of, provider_setting, setting_elsewhere
from llm_d_gke.planning.suggest import nearest
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.base import Settings
from llm_d_gke.settings.fields import Setting, every_key, groups_of, keys_of, setting_of, tags_of

# Keys of many groups, which mean something else in each.
_EVERYWHERE = ("config", "cpu", "enabled", "existing", "id", "kind", "memory", "name", "path", "release", "version")

# How alike a key has to be to one of another group to be meant.
_MISSPELLED = 0.85

# Keys by which other programs choose hardware for each model, or several types of it.
_ACCELERATORS = ("accelerator", "acceleratortype", "gputype", "hardware")

ONE_ACCELERATOR = "a stack has one type of accelerator: make two stacks, which may share a cluster (cluster.existing)"


def _letters(key: str) -> str:
    """A key without capitals, digits and signs, in which spellings of one name agree."""
    return re.sub(r"[^a-z]", "", key.lower())


def unknown_key(setting: Setting, value: object) -> tuple[str, str]:
    """Why a key is no setting, and what to write instead."""
    return _of_others(setting, value) or _misspelled(setting, value)


def _of_others(setting: Setting, value: object) -> tuple[str, str] | None:
    """The same of keys that belong to providers, manifests or other programs, or are derived. None for other keys."""
    key = str(setting.path[-1])
    namespace, colon, rest = key.partition(":")
    if is_of_provider(setting.path):
        return provider_setting(key)
    if colon and len(setting.path) == 1 and namespace == NAMESPACE:
        return f"{NAMESPACE}: stands before a name in stack files alone, and once", f"did you mean {rest}?"
    if colon and len(setting.path) == 1:
        return (
            f"settings of this program have the prefix {NAMESPACE}:, and nothing reads {namespace}:",
            f"did you mean {NAMESPACE}:{rest}?",
        )
    if len(setting.path) == 1 and (nested := written_as_path(key)) is not None:
        return "paths are for the command line (pulumi config set --path); a stack file nests settings", nested
    if len(setting.path) == 1 and key in ("apiVersion", "kind", "metadata", "spec", "status"):
        return (
            "it belongs to a manifest of Kubernetes, and a stack file has settings of the environment",
            "remove it; make adopt-manifests FILES=... writes a stack file for manifests",
        )
    letters = _letters(key)
    several = len(setting.path) == 1 and letters in [f"{word}s" for word in _ACCELERATORS]
    if several or (setting.path[0] == "models" and letters.removesuffix("s") in _ACCELERATORS):
        return "the stack's accelerator serves all its models: there is no such setting", ONE_ACCELERATOR
    if setting.path[:-1] == ("cluster",) and letters in ("name", "clustername"):
        return (
            "the stack names the cluster after itself",
            "remove it; for a cluster that exists write existing: {name: my-cluster, version: 1.35.2-gke.1842000}",
        )
    if _synonym(setting) is not None:
        return None
    if (elsewhere := setting_elsewhere(letters)) and owner_of(setting.path, letters) is None:
        return _no_such_setting(setting), _location_words(elsewhere)
    return owner_of(setting.path, letters, value)


def _no_such_setting(setting: Setting) -> str:
    return f"{path_of(*setting.path[:-1]) if len(setting.path) > 1 else 'the stack file'} has no such setting"


def _misspelled(setting: Setting, value: object) -> tuple[str, str]:
    """The same of keys that are spelled otherwise, or stand elsewhere."""
    key, none_here = str(setting.path[-1]), _no_such_setting(setting)
    letters = _letters(key)
    intended = intended_key(setting)
    inner = (_nested_key(setting, letters) if len(setting.path) > 1 else None) or next(iter(_inner_name(key)), None)
    if inner is not None and _synonym(setting) is None:
        return none_here, f"did you mean {inner}? Move it there"
    if intended == "requestsPerMinute" and isinstance(value, int | float) and re.search("second|rps|qps", key.lower()):
        return none_here, f"did you mean requestsPerMinute: {value * 60:g}?"
    if intended == "requestsPerSecond" and isinstance(value, int | float) and re.search("minute|rpm|qpm", key.lower()):
        return none_here, f"did you mean requestsPerSecond: {value / 60:g}?"
    if intended is not None:
        full = f"{NAMESPACE}:{intended}" if len(setting.path) == 1 else intended
        full += _written_for(setting_of((*setting.path[:-1], intended), StackSettings), value)
        reason = "keys are written in camelCase" if to_camel(key) == intended else none_here
        return reason, f"did you mean {full}?"
    if (of_others := _of_another_kind(setting)) is not None:
        return of_others
    inside = [] if letters in _EVERYWHERE and len(setting.path) > 1 else _same_name(key)
    top = nearest(key, keys_of(StackSettings), 1.0) if len(setting.path) > 1 else None
    if top is not None and (isinstance(value, Mapping | list | tuple) or not inside):
        inside = [f"{NAMESPACE}:{top}"]
    if inside:
        return none_here, f"did you mean {' or '.join(inside[:3])}? Move it there"
    keys = keys_of(setting.group) if setting.group is not None else ()
    listing = f"settings here are {', '.join(keys)}" if 0 < len(keys) <= 20 else "look for it in docs/settings.md"
    return none_here, f"remove it, or use another one: {listing}"


def _of_another_kind(setting: Setting) -> tuple[str, str] | None:
    """The same of keys that the group has in another kind, as `clientId` of gateway.auth with kind: iap alone."""
    if setting.group is None or len(setting.path) < 2:
        return None
    key, groups = str(setting.path[-1]), groups_of(setting_of(setting.path[:-1], StackSettings).kind)
    having = [(tags_of(group)[0], name) for group in groups if (name := _name_in(group, key)) is not None]
    if len(groups) < 2 or not having:
        return None
    others = " or ".join(f"kind: {tag}, which has {name}" for tag, name in having)
    return f"{_no_such_setting(setting)} with kind: {tags_of(setting.group)[0]}", f"remove it, or use {others}"


def _name_in(group: type[Settings], key: str) -> str | None:
    """A group's key of this name, however it is spelled, or others call it."""
    spelled = next((name for name in keys_of(group) if _letters(name) == _letters(key)), None)
    return spelled or key_here(group.__name__, key)


def _written_for(intended: Setting, value: object) -> str:
    """A text as the group or the list that is intended, or a group as that list. Empty for other values and settings.

    `: [my-cert]`, `: [{id: Qwen/Qwen3-8B}]`
    """
    is_list = get_origin(intended.kind) is tuple
    as_group = isinstance(value, str) and (is_list or groups_of(intended.kind))
    if not value or not (as_group or (is_list and isinstance(value, Mapping) and value == without_secrets(value, ()))):
        return ""
    written = valid_example(intended, value)
    return f": {written}" if written is not None else ""


def written_as_path(key: str) -> str | None:
    """How a file writes `accelerator.type` or `models[0].id`. None for a key that begins with no setting."""
    first, *rest = re.findall(r"[A-Za-z][\w-]*|\[[0-9]+\]", key) or [key]
    if not rest or first not in keys_of(StackSettings):
        return None
    text = "..."
    for part in reversed(rest):
        text = f"[{text}]" if part.startswith("[") else f"{{{part}: {text}}}"
    return f"write {NAMESPACE}:{first}: {text}"


def _location_words(location: str) -> str:
    """Turn a path such as `accelerator.type` into a question. A sentence stays as it is."""
    return (
        f"did you mean {NAMESPACE}:{location}? Move it there"
        if re.fullmatch(r"[\w.\[\]]+(: \w+)?", location)
        else location
    )


def intended_key(setting: Setting) -> str | None:
    """The key of the same group that a misspelled one probably means."""
    if is_of_provider(setting.path):
        return None
    same = _synonym(setting)
    if same is None and owner_of(setting.path, _letters(str(setting.path[-1]))) is not None:
        return None
    if same is not None or setting_elsewhere(_letters(str(setting.path[-1]))) is not None:
        return same
    return nearest(str(setting.path[-1]), keys_of(setting.group), 0.75) if setting.group is not None else None


def _synonym(setting: Setting) -> str | None:
    """The key of the same group that other programs call so."""
    if setting.group is None:
        return None
    return key_here(setting.group.__name__, str(setting.path[-1]))


def _same_name(key: str) -> list[str]:
    """The place of a setting of this name in a stack file, however it is spelled, or others call it."""
    spelled = _letters(key)
    places = []
    for path, group in every_key(StackSettings):
        named = _letters(str(path[-1])) == spelled or key_here(group.__name__, key) == path[-1]
        if len(path) > 1 and (named or nearest(key, [str(path[-1])], _MISSPELLED) is not None):
            text = ""
            for part in path:
                text += "[]" if part == "[]" else f".{part}" if text else str(part)
            places.append((len(path) - path.count("[]"), f"{NAMESPACE}:{text}"))
    # Deeper ones of the name are parts of something else.
    least = min((depth for depth, _ in places), default=0)
    return list(dict.fromkeys(text for depth, text in places if depth == least))


def _inner_name(key: str) -> list[str]:
    """The place of a setting that is written as one word with its group: `acceleratorType`, `modelId`."""
    spelled = _letters(key)
    places = []
    for path, _ in every_key(StackSettings):
        names = [str(part) for part in path if part != "[]"]
        spellings = {"".join(names[-2:]), names[-2].removesuffix("s") + names[-1]} if len(names) > 1 else ()
        if spelled in [_letters(spelling) for spelling in spellings]:
            places.append(f"{NAMESPACE}:" + ".".join(map(str, path)).replace(".[]", "[]"))
    return places


def _nested_key(setting: Setting, spelled: str) -> str | None:
    """The place of a key that stands one group too far out, where the group has no key of this name itself."""
    keys = keys_of(setting.group) if setting.group is not None else ()
    if spelled in [_letters(key) for key in keys]:
        return None
    group = [part if isinstance(part, str) else "[]" for part in setting.path[:-1]]
    for path, inner in every_key(StackSettings):
        below = list(path[: len(group)]) == group and len(path) == len(group) + 2
        names = (path[-1], "".join(map(str, path[-2:]))) if below else ()
        other = key_here(inner.__name__, str(setting.path[-1])) if spelled not in _EVERYWHERE else None
        if (below and other == path[-1]) or spelled in [_letters(str(name)) for name in names]:
            return f"{NAMESPACE}:" + ".".join(map(str, path)).replace(".[]", "[]")
    return None
