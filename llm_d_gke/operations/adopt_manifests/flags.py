"""Arguments of `vllm serve` as settings of a model (docs.vllm.ai/en/stable/cli/serve)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from llm_d_gke.operations.adopt_manifests.pods import is_open
from llm_d_gke.operations.adopt_manifests.replacements import replacements
from llm_d_gke.operations.adopt_manifests.servers import NotCarried
from llm_d_gke.planning.engine_support.owned import owned_options
from llm_d_gke.planning.rules import RULES
from llm_d_gke.planning.serving.extra_args import flag_of
from llm_d_gke.quantities import token_count

_READERS: Mapping[str, Callable[[str], Any]] = {
    "text": str,
    "int": int,
    "float": float,
    "tokens": token_count,
    "whole": lambda text: int(float(text)),
}


def settings_of(arguments: Sequence[str], origin: str) -> tuple[dict[str, Any], list[str], list[NotCarried]]:
    """Settings of a model, the arguments for `extraArgs`, and what is not carried over."""
    settings: dict[str, Any] = {}
    extra: list[str] = []
    not_carried: list[NotCarried] = []
    ranks: list[int] = []
    followed: list[str] = []
    of_adapters: list[str] = []
    adapters: list[dict[str, Any]] = []
    for flag, values, words in _grouped(arguments):
        value = values[0] if values else ""
        name, kind = replacements().settings.get(flag, ("", ""))
        if any(map(is_open, values)):
            owned = owned_options().get(flag)
            instead = owned.instead if owned is not None else "set it by hand"
            text = f"the value of its variable is not in the files; {instead}"
            not_carried.append(NotCarried(origin, " ".join(words), text))
        elif kind == "switch" and not value:
            settings[name] = not words[0].startswith("--no-")
        elif kind in _READERS:
            try:
                settings[name] = _READERS[kind](value)
            except ValueError:
                not_carried.append(
                    NotCarried(origin, f"{flag} {value}", f"its value cannot be read; set models[].{name}")
                )
        elif flag == "--served-model-name":
            settings["servedName"], *aliases = values or ("",)
            if aliases:
                settings["aliases"] = aliases
        elif flag == "--revision":
            settings["source"] = {"kind": "hugging-face", "revision": value}
        elif flag in replacements().of_adapters:
            of_adapters.append(flag)
            ranks += [int(value)] if flag == "--max-lora-rank" and value.isdigit() else []
        elif flag == "--lora-modules":
            more_adapters, problems = _adapters(values, origin)
            adapters += more_adapters
            not_carried += problems
        elif flag in replacements().follows:
            followed.append(flag)
        elif flag == "--speculative-config" and (speculation := _speculation(value)):
            settings["speculativeDecoding"] = speculation
        elif remark := _left_to_the_stack(flag, words, origin):
            not_carried.append(remark)
        else:
            extra += words
    if adapters:
        settings["adapters"] = [{**adapter, **({"rank": max(ranks)} if ranks else {})} for adapter in adapters]
    elif of_adapters:
        text = "set models[].adapters, with which they come"
        not_carried.append(NotCarried(origin, f"arguments {', '.join(of_adapters)}", text))
    if followed:
        text = "the stack sets them where they are needed"
        not_carried.append(NotCarried(origin, f"arguments {', '.join(followed)}", text))
    return settings, extra, not_carried


def _left_to_the_stack(flag: str, words: Sequence[str], origin: str) -> NotCarried | None:
    """A remark for an argument that the stack sets by itself, or has a setting for which no value follows from it."""
    if flag.startswith("--ssl-") or flag == "--enable-ssl-refresh":
        return NotCarried(origin, flag, RULES["LLMD-ENGINE-TLS-ARGS"].hint)
    if setting := replacements().by_hand.get(flag):
        return NotCarried(origin, " ".join(words), f"set models[].{setting}")
    # Never the value: it may be a key.
    owned = owned_options().get(flag)
    return NotCarried(origin, flag, owned.instead) if owned is not None else None


def _grouped(arguments: Sequence[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yields flag in its long form, its values, and its original words. Words before the first flag are skipped."""
    group: list[str] = []
    for word in arguments:
        if flag_of(word):
            if group:
                yield _group(group)
            group = [word]
        elif group:
            group.append(word)
    if group:
        yield _group(group)


def _group(words: list[str]) -> tuple[str, list[str], list[str]]:
    first, equals, value = words[0].partition("=")
    if not equals:
        first, _, value = words[0].partition(" ")
    return flag_of(first), [*([value.strip()] if value else []), *words[1:]], words


def _speculation(text: str) -> dict[str, Any] | None:
    """The setting for a JSON map of `--speculative-config`. None if the setting cannot express the map exactly."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or not document.keys() <= {"method", "model", "num_speculative_tokens"}:
        return None
    # Names of one architecture's prediction layers are older spellings of mtp (SpeculativeConfig of vLLM).
    if str(document.get("method", "")).endswith("_mtp") and "model" not in document:
        document["method"] = "mtp"
    speculation = {
        "method": document.get("method", "draft_model" if "model" in document else None),
        "tokens": document.get("num_speculative_tokens"),
        "draftModel": document.get("model"),
    }
    present = {key: value for key, value in speculation.items() if value is not None}
    return present if {"method", "tokens"} <= present.keys() else None


def _adapters(values: Sequence[str], origin: str) -> tuple[list[dict[str, Any]], list[NotCarried]]:
    """Adapters of `--lora-modules`: `name=source`, or a JSON map each."""
    adapters: list[dict[str, Any]] = []
    not_carried: list[NotCarried] = []
    for value in values:
        name, _, source = value.partition("=")
        if value.startswith("{"):
            try:
                document = json.loads(value)
                name, source = str(document["name"]), str(document["path"])
            except (ValueError, KeyError, TypeError):
                name, source = value, ""
        if source.count("/") == 1 and not source.startswith(("/", ".")):
            adapters.append({"name": name, "source": source})
        else:
            not_carried.append(
                NotCarried(origin, f"adapter {name}", "its source is a path of the pod; set models[].adapters")
            )
    return adapters, not_carried
