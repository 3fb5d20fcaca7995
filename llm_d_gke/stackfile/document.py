"""Parses the text of a stack file: values, the line of each, and faults in words that name file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from llm_d_gke.stackfile.paths import StackFileError, segments
from llm_d_gke.stackfile.project import NAMESPACE

Keys = tuple[str | int, ...]


def parse(path: Path) -> dict[str, Any]:
    """The document of a file. Raises StackFileError for text that is not YAML, and for duplicate keys."""
    text = path.read_text(encoding="utf-8")
    _refuse_tabs(path.name, text)
    _refuse_lookalikes(path.name, text)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            _refuse_twice(path.name, root)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        raise StackFileError(_fault(path.name, text, error)) from error
    except yaml.YAMLError as error:
        raise StackFileError(f"{path.name} is not valid YAML: {error}") from error
    if document is not None and not isinstance(document, dict):
        line = f"{text.strip().splitlines()[0][:60]!r}"
        raise StackFileError(
            f"{path.name} must hold keys at its top level, and begins with {line}. Write config: and the settings below"
        )
    _refuse_settings_at_the_top(path.name, text, document or {})
    return document or {}


def lines_of(path: Path) -> dict[Keys, int]:
    """The line of every key and list element below `config`, by path.

    Empty for a file that cannot be parsed, and for one that is merged onto a base: elements of a merged list have other
    indexes than in the file.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError):
        return {}
    line_by_keys = dict(_walk(root, ())) if root is not None else {}
    if {("config", "base"), ("config", f"{NAMESPACE}:base")} & set(line_by_keys):
        return {}
    return {keys[1:]: line for keys, line in line_by_keys.items() if keys[:1] == ("config",) and len(keys) > 1}


def line_of(lines: dict[Keys, int], path: str) -> int | None:
    """The line of a path as findings write it. Of a setting that is missing, the line of what it is missing in."""
    try:
        keys: Keys = tuple(segments(path))
    except StackFileError:
        return None
    while keys:
        for first in (keys[0], str(keys[0]).removeprefix(f"{NAMESPACE}:")):
            if (first, *keys[1:]) in lines:
                return lines[(first, *keys[1:])]
        keys = keys[:-1]
    return None


def _walk(node: yaml.Node, path: Keys) -> Iterator[tuple[Keys, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            key_path = (*path, str(key.value))
            yield key_path, key.start_mark.line + 1
            yield from _walk(value, key_path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value.start_mark.line + 1
            yield from _walk(value, (*path, index))


def _refuse_twice(name: str, node: yaml.Node) -> None:
    """PyYAML takes the last of two equal keys; Pulumi refuses the file."""
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line, text = key.start_mark.line + 1, str(key.value)
            if text in first and isinstance(key, yaml.ScalarNode) and text != "<<":
                raise StackFileError(
                    f"{name}, line {line}: the key {text} stands in line {first[text]} already, and one of the two"
                    " values would be lost. Keep one of them"
                )
            first[text] = line
            _refuse_twice(name, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(name, value)


def _refuse_tabs(name: str, text: str) -> None:
    for number, line in enumerate(text.splitlines(), start=1):
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent and line.strip() and not line.lstrip().startswith("#"):
            raise StackFileError(
                f"{name}, line {number}: the line is indented with a tab, and YAML indents with spaces only."
                f" Write {'  ' * max(1, len(indent))}{line.strip()}"
            )


# Signs that word processors and web pages put in place of blanks and quotation marks.
_BLANKS = "\u00a0\u2007\u202f\u3000\u200b\u2060\ufeff"
_QUOTES = "\u201c\u201d\u201e\u2018\u2019"


def _refuse_lookalikes(name: str, text: str) -> None:
    """YAML takes a no-break space for a letter of a key, and a typographic quotation mark for one of a value."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if line.lstrip().startswith("#"):
            continue
        around = re.match(rf"\s*(?:- *)?[\w.:-]*[\s{_BLANKS}]*", line)
        if around is not None and any(sign in around[0] for sign in _BLANKS):
            plain = re.sub(f"[{_BLANKS}]", " ", line)
            raise StackFileError(
                f"{name}, line {number}: the line has a blank of another kind, such as a no-break space from a web"
                f" page, which YAML takes for a letter. Write {plain.rstrip()!r} with ordinary blanks"
            )
        if re.search(rf"(?:^|[:\-\[,{{])\s*[{_QUOTES}]", line):
            plain = re.sub(f"[{_QUOTES}]", '"', line.strip())
            raise StackFileError(
                f"{name}, line {number}: the value is in typographic quotation marks, which YAML takes for letters."
                f" Write {plain}"
            )


def _refuse_settings_at_the_top(name: str, text: str, document: dict[str, Any]) -> None:
    """Pulumi reads settings below `config:` and passes over everything else."""
    stray = next((str(key) for key in document if str(key).startswith(f"{NAMESPACE}:")), None)
    if stray is None:
        return
    number = next(number for number, line in enumerate(text.splitlines(), start=1) if stray in line)
    raise StackFileError(
        f"{name}, line {number}: {stray} stands at the top level, and settings are read below config: only. Write"
        " config: above the settings, and indent each of them by two blanks"
    )


def _fault(name: str, text: str, error: yaml.MarkedYAMLError) -> str:
    """A parser's error with the line that is wrong, which is often the one before."""
    lines = text.splitlines()
    mark = error.problem_mark or error.context_mark
    at = min(mark.line, len(lines) - 1) if mark is not None and lines else 0
    for number in _before(lines, at):
        repaired = _repaired(lines[number], number == at)
        if repaired is not None:
            reason, instead = repaired
            return f"{name}, line {number + 1}: {reason}. Write {instead}"
    line_text = lines[at].strip() if lines else ""
    return f"{name} is not valid YAML: line {at + 1}, {line_text!r}, {_reason(error)}"


def _before(lines: list[str], at: int) -> list[int]:
    """The line of an error and the last one before it that has text."""
    above = next((number for number in range(at - 1, -1, -1) if lines[number].split("#")[0].strip()), None)
    return [at] if above is None else [at, above]


def _repaired(line: str, is_marked: bool) -> tuple[str, str] | None:
    """The error in a line by itself, and the corrected line."""
    body = line.split(" #")[0].strip()
    joined = re.fullmatch(r"(- )?([A-Za-z][A-Za-z0-9_]*):([^\s/:].*)", body)
    if joined and ":" not in joined[3].split("/")[0] and not body.startswith("llm-d:"):
        return "a blank is missing after the colon", f"{joined[1] or ''}{joined[2]}: {joined[3]}"
    if not is_marked and re.fullmatch(r"(- )?[A-Za-z][A-Za-z0-9_:-]*", body) and not body.endswith(":"):
        return "the colon after the key is missing", f"{body}:"
    return None


def _reason(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem or "")
    if "mapping values are not allowed" in problem:
        return (
            "has a key where none can stand: the line above has a value already, or this line is indented more than its"
            " neighbors. Indent keys of one group alike, with spaces"
        )
    if "could not find expected ':'" in problem:
        return "lacks a colon after its key. Write key: value"
    if "expected ',' or" in problem or "expected the node content" in problem or "<stream end>" in problem:
        return "opens a bracket that is not closed, or lacks a comma. Write {a: 1, b: 2} or [a, b]"
    if "block end" in problem or "block mapping" in problem or "block collection" in problem:
        return "is indented otherwise than its neighbors. Indent keys of one group alike, with spaces"
    if "quoted scalar" in problem or "quoted scalar" in str(error.context or ""):
        return "opens a quotation mark that is not closed. Close it, or remove it"
    if "cannot start any token" in problem:
        return "begins with a sign that means something to YAML. Put the value into quotes"
    if "alias" in problem or "anchor" in problem:
        return "begins with * or &, which YAML reads as a reference. Put the value into quotes"
    return "cannot be read. Check its brackets, quotes and indentation"
