"""The models that the programs of a pod load, and those that KServe downloads for it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

from .resources import Part, Pod

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# A word before a model: of vLLM, of the Hub's program, and options.
_BEFORE = ("serve", "--model", "download")
# Options whose value looks like a model and loads none.
_NAMES = ("--served-model-name", "--lora-modules", "--revision", "--tokenizer-revision", "--include", "--exclude")


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """`id` is an id of the Hub or a path. `pinned`: a commit of its repository is stated."""

    id: str
    pinned: bool


def of_pod(pod: Pod) -> Iterator[ServedModel]:
    """Models in the commands and arguments of all containers, those of shells included."""
    for container in pod.containers:
        command, arguments = (list(map(str, container.get(key) or ())) for key in ("command", "args"))
        words = [*command, *arguments]
        if any("vllm serve" in word and '"$@"' in word for word in command):
            # A shell passes its own arguments on.
            words = ["serve", *arguments]
        for line in (words, *_lines(words)):
            pinned = any(map(_COMMIT.fullmatch, _values(line, "--revision")))
            yield from (ServedModel(id=model, pinned=pinned) for model in _loaded(line))
            yield from _beside(line)
        for script, model, revision in zip(words, words[1:], words[2:], strict=False):
            if script.endswith("/copy_weights.py"):
                # The Job of `make stage`.
                yield ServedModel(id=model, pinned=_COMMIT.fullmatch(revision) is not None)


def of_address(part: Part) -> Iterator[ServedModel]:
    """The model of `uri: hf://ORGANIZATION/NAME:REVISION`, where KServe downloads it."""
    uri = str(part.fields.get("uri") or "")
    if uri.startswith("hf://") and _downloads(part):
        model, _, revision = uri.removeprefix("hf://").partition(":")
        yield ServedModel(id=model, pinned=_COMMIT.fullmatch(revision) is not None)


def _downloads(part: Part) -> bool:
    spec = part.resource.properties.get("spec")
    initializer = spec.get("storageInitializer") if isinstance(spec, Mapping) else None
    return not (isinstance(initializer, Mapping) and initializer.get("enabled") is False)


def _lines(words: Sequence[str]) -> Iterator[list[str]]:
    """Commands inside the text of a shell."""
    for word in words:
        if " " in word and any(f"{before} " in word for before in _BEFORE):
            for line in re.split(r"[;&|\n]+", word):
                try:
                    yield shlex.split(line)
                except ValueError:
                    yield line.split()


def _values(words: Sequence[str], option: str) -> Iterator[str]:
    yield from (word for before, word in pairwise(words) if before == option)
    yield from (word.partition("=")[2] for word in words if word.startswith(f"{option}="))


def _loaded(words: Sequence[str]) -> Iterator[str]:
    """The word after `serve`; where options stand between, each that could be an id of the Hub."""
    yield from (word.partition("=")[2] for word in words if word.startswith("--model="))
    for index, (before, word) in enumerate(pairwise(words)):
        if before in _BEFORE and not word.startswith("-"):
            yield word
        elif before in ("serve", "download"):
            rest = list(pairwise(words[index + 1 :]))
            yield from (item for option, item in rest if _HUB_ID.fullmatch(item) and option not in _NAMES)


def _beside(words: Sequence[str]) -> Iterator[ServedModel]:
    """Draft models and adapters of the Hub. vLLM knows a commit of the former only."""
    adapters = [word for group in _groups(words, "--lora-modules") for word in group]
    for text in (*_values(words, "--speculative-config"), *adapters):
        parsed = _json(text)
        if not isinstance(parsed, Mapping):
            parsed = {"path": text.partition("=")[2]}
        pinned = _COMMIT.fullmatch(str(parsed.get("revision"))) is not None
        models = (str(parsed.get(key)) for key in ("model", "path"))
        yield from (ServedModel(id=model, pinned=pinned) for model in models if _HUB_ID.fullmatch(model))


def _groups(words: Sequence[str], option: str) -> Iterator[list[str]]:
    """The words behind each occurrence of an option, up to the next option."""
    for index in (index for index, word in enumerate(words) if word == option):
        yield list(takewhile(lambda word: not word.startswith("--"), words[index + 1 :]))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
