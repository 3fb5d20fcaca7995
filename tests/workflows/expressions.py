"""Expressions of GitHub's workflow files, as far as this project's use them.

Literals, paths into contexts with `*`, ==, !=, !, &&, ||, parentheses, contains, fromJSON, always. Source:
docs.github.com/en/actions/reference/evaluate-expressions-in-workflows-and-actions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(==|!=|&&|\|\||[()!,])|([A-Za-z0-9_.*-]+))")
_PART = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


def substitute(text: str, contexts: Mapping[str, Any]) -> str:
    """A text with the value of each `${{ ... }}`."""
    return _PART.sub(lambda match: as_text(evaluate(match.group(1), contexts)), text)


def value_of(text: Any, contexts: Mapping[str, Any]) -> Any:
    """The value of a key that may be an expression as a whole, such as a matrix."""
    match = _PART.fullmatch(text.strip()) if isinstance(text, str) else None
    return evaluate(match.group(1), contexts) if match else text


def evaluate(text: str, contexts: Mapping[str, Any]) -> Any:
    """The value of an expression, without its braces. Raises ValueError for what is not supported."""
    whole = _PART.fullmatch(text.strip())
    parser = _Parser(whole.group(1) if whole else text, contexts)
    value = parser.either()
    parser.end()
    return value


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict | list) else str(value)


class _Parser:
    def __init__(self, text: str, contexts: Mapping[str, Any]) -> None:
        self._text, self._contexts, position = text, contexts, 0
        self._tokens: list[str] = []
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"{text!r} is not supported at {text[position:]!r}")
            self._tokens.append(match.group(0).strip())
            position = match.end()

    def end(self) -> None:
        if self._tokens:
            raise ValueError(f"{self._text!r} is not supported from {self._tokens[0]!r} on")

    def either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._comparison()
        while self._take("&&"):
            other = self._comparison()
            value = other if value else value
        return value

    def _comparison(self) -> Any:
        value = self._single()
        if self._take("=="):
            return _comparable(value) == _comparable(self._single())
        if self._take("!="):
            return _comparable(value) != _comparable(self._single())
        return value

    def _single(self) -> Any:
        if self._take("!"):
            return not self._single()
        if self._take("("):
            value = self.either()
            self._need(")")
            return value
        token = self._tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._take("("):
            return self._call(token)
        if token in ("true", "false"):
            return token == "true"
        return float(token) if re.fullmatch(r"-?\d+(\.\d+)?", token) else self._path(token)

    def _call(self, name: str) -> Any:
        arguments = []
        while not self._take(")"):
            arguments.append(self.either())
            self._take(",")
        if name == "always":
            return True
        if name == "fromJSON":
            return json.loads(arguments[0])
        if name == "contains":
            where, what = arguments
            return what in (where or ())
        raise ValueError(f"the function {name} is not supported")

    def _path(self, token: str) -> Any:
        first, *keys = token.split(".")
        if first not in self._contexts:
            raise ValueError(f"there is no context {first} in {self._text!r}")
        return _at(self._contexts[first], keys)

    def _take(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise ValueError(f"{token} is missing in {self._text!r}")


def _at(value: Any, keys: list[str]) -> Any:
    for index, key in enumerate(keys):
        if key == "*":
            return [_at(item, keys[index + 1 :]) for item in value or ()]
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _comparable(value: Any) -> Any:
    """GitHub compares texts without regard to case, and nothing is equal to an empty text."""
    return value.lower() if isinstance(value, str) else "" if value is None else value
