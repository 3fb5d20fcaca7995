# ruff: noqa: ARG001, ARG005 - every selector takes the root and the node
"""The part of JSONPath (RFC 9535) that readiness expressions use: names, wildcards, positions, slices, filters.

Not here, and refused by name: descendants (`..`), function calls, arithmetic.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Test: TypeAlias = Callable[[Any, Any], bool]  # (root, current) -> holds
Values: TypeAlias = Callable[[Any, Any], list[Any]]  # (root, current) -> at most one value for a comparison
Selector: TypeAlias = Callable[[Any, Any], Iterator[Any]]  # (root, node) -> children

TOKENS: Final = re.compile(
    r"""\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"""
    r"""|(?P<name>[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)|(?P<mark>\.\.|==|!=|<=|>=|&&|\|\||[\]$@.*?()!<>,:\[]))"""
)
LITERALS: Final = {"true": True, "false": False, "null": None}


class PathError(ValueError):
    """The expression is not of the supported JSONPath."""


@dataclass(frozen=True)
class JsonPath:
    """A parsed expression; `select` gives the matching values in document order."""

    text: str
    segments: tuple[tuple[Selector, ...], ...]

    def select(self, root: Any) -> list[Any]:
        return _walk(self.segments, root, root)


def parse(text: str) -> JsonPath:
    """Parse `$.status.conditions[?(@.type=='Ready')].status`. Raises PathError saying where."""
    reader = _Reader(text)
    reader.expect("$")
    segments = reader.segments()
    if reader.peek() is not None:
        raise reader.wrong("the end")
    return JsonPath(text, segments)


def _walk(segments: tuple[tuple[Selector, ...], ...], root: Any, start: Any) -> list[Any]:
    nodes = [start]
    for selectors in segments:
        nodes = [child for node in nodes for selector in selectors for child in selector(root, node)]
    return nodes


def _member(name: str) -> Selector:
    return lambda root, node: iter([node[name]] if isinstance(node, Mapping) and name in node else [])


def _children(root: Any, node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


def _slice(bounds: slice) -> Selector:
    return lambda root, node: iter(node[bounds] if isinstance(node, list) else [])


def _position(index: int) -> Selector:
    return lambda root, node: iter([node[index]] if isinstance(node, list) and -len(node) <= index < len(node) else [])


def _filter(test: Test) -> Selector:
    return lambda root, node: (child for child in _children(root, node) if test(root, child))


def _compare(left: list[Any], operator: str, right: list[Any]) -> bool:
    """RFC 9535 §2.3.5.2.2: a missing value equals only a missing one; two numbers or two strings have an order."""
    match operator:
        case "!=":
            return not _compare(left, "==", right)
        case ">" | ">=":
            return _compare(right, operator.replace(">", "<"), left)
        case "<=":
            return _compare(left, "==", right) or _compare(left, "<", right)
    if not left or not right:
        return operator == "==" and not left and not right
    a, b = left[0], right[0]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    if operator == "==":
        return bool((numbers or type(a) is type(b)) and a == b)
    return bool((numbers or (isinstance(a, str) and isinstance(b, str))) and a < b)


def _comparison(left: Values, operator: str, right: Values) -> Test:
    return lambda root, node: _compare(left(root, node), operator, right(root, node))


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        end = len(text.rstrip())
        position = 0
        while position < end:
            match = TOKENS.match(text, position)
            if match is None:
                raise PathError(f"{text}: unexpected {text[position]!r} at {position}")
            self.tokens.append((str(match.lastgroup), match.group(str(match.lastgroup)), match.start()))
            position = match.end()

    def peek(self, ahead: int = 0) -> str | None:
        place = self.at + ahead
        return self.tokens[place][1] if place < len(self.tokens) else None

    def take(self, text: str) -> bool:
        if self.peek() == text and self.tokens[self.at][0] != "string":
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise self.wrong(repr(text))

    def next(self, kind: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at][0] == kind:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def wrong(self, wanted: str) -> PathError:
        found = repr(self.peek()) if self.peek() is not None else "the end"
        return PathError(f"{self.text}: expected {wanted}, found {found}")

    def segments(self) -> tuple[tuple[Selector, ...], ...]:
        found: list[tuple[Selector, ...]] = []
        while True:
            if self.peek() == "..":
                raise PathError(f"{self.text}: descendants (..) are not supported here; write the path in full")
            if self.take("."):
                found.append((_children,) if self.take("*") else (_member(self.name()),))
            elif self.take("["):
                found.append(self.bracket())
            else:
                return tuple(found)

    def name(self) -> str:
        name = self.next("name")
        if name is None:
            raise self.wrong("a name")
        return name

    def bracket(self) -> tuple[Selector, ...]:
        selectors = [self.selector()]
        while self.take(","):
            selectors.append(self.selector())
        self.expect("]")
        return tuple(selectors)

    def selector(self) -> Selector:
        if self.take("*"):
            return _children
        if self.take("?"):
            return _filter(self.either())
        text = self.next("string")
        if text is not None:
            return _member(_unquoted(text))
        start = self.whole()
        if self.peek() == ":":
            parts: list[int | None] = [start]
            while self.take(":"):
                parts.append(self.whole())
            return _slice(slice(*parts))
        if start is None:
            raise self.wrong("a quoted name, a position, * or a filter")
        return _position(start)

    def whole(self) -> int | None:
        text = self.next("number")
        if text is not None and not re.fullmatch(r"-?\d+", text):
            raise PathError(f"{self.text}: {text} is not a position")
        return None if text is None else int(text)

    def either(self) -> Test:
        tests = [self.both()]
        while self.take("||"):
            tests.append(self.both())
        return lambda root, node: any(test(root, node) for test in tests)

    def both(self) -> Test:
        tests = [self.basic()]
        while self.take("&&"):
            tests.append(self.basic())
        return lambda root, node: all(test(root, node) for test in tests)

    def basic(self) -> Test:
        if self.take("!"):
            test = self.basic()
            return lambda root, node: not test(root, node)
        if self.take("("):
            test = self.either()
            self.expect(")")
            return test
        left, is_query = self.operand()
        for operator in ("==", "!=", "<=", ">=", "<", ">"):
            if self.take(operator):
                right, _ = self.operand()
                return _comparison(left, operator, right)
        if not is_query:
            raise self.wrong("a comparison")
        return lambda root, node: bool(left(root, node))

    def operand(self) -> tuple[Values, bool]:
        if self.take("@"):
            below = self.segments()
            return (lambda root, node: _walk(below, root, node)), True
        if self.take("$"):
            absolute = self.segments()
            return (lambda root, node: _walk(absolute, root, root)), True
        text, number, name = self.next("string"), self.next("number"), None
        if text is None and number is None:
            name = self.next("name")
        if text is not None:
            return _constant(_unquoted(text)), False
        if number is not None:
            return _constant(json.loads(number)), False
        if name in LITERALS:
            return _constant(LITERALS[name]), False
        if name is not None:
            raise PathError(f"{self.text}: functions ({name}) are not supported here")
        raise self.wrong("a value")


def _constant(value: Any) -> Values:
    return lambda root, node: [value]


def _unquoted(text: str) -> str:
    body = text[1:-1]
    if text[0] == "'":
        body = body.replace("\\'", "'").replace('"', '\\"')
    try:
        return str(json.loads(f'"{body}"'))
    except ValueError as error:
        raise PathError(f"{text}: {error}") from error
