"""Drawings as shapes with classes: geometry is computed here in Python, colors and escaping are the template's."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One SVG element. A rectangle has x, y, width, height; a text x, y and its words; a path its `d`."""

    kind: Literal["rect", "text", "path"]
    style: str
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    text: str = ""
    anchor: Literal["start", "middle", "end"] = "start"
    d: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A drawing. `label` describes it for screen readers."""

    width: float
    height: float
    label: str
    shapes: tuple[Shape, ...]


def rect(style: str, x: float, y: float, width: float, height: float) -> Shape:
    return Shape(kind="rect", style=style, x=_r(x), y=_r(y), width=_r(width), height=_r(height))


def text(style: str, x: float, y: float, words: str, anchor: Literal["start", "middle", "end"] = "start") -> Shape:
    return Shape(kind="text", style=style, x=_r(x), y=_r(y), text=words, anchor=anchor)


def line(style: str, *points: tuple[float, float]) -> Shape:
    return Shape(kind="path", style=style, d=_path(points))


def area(style: str, *points: tuple[float, float]) -> Shape:
    return Shape(kind="path", style=style, d=_path(points) + " Z")


def wrapped(words: str, width: float, character: float) -> list[str]:
    """Lines of `width`, at `character` units each, as SVG does not wrap. Only a name too long for one is broken."""
    columns = max(1, int(width / character))
    spaced = textwrap.wrap(words, columns, break_on_hyphens=False, break_long_words=False)
    return [part for line in spaced for part in ([line] if len(line) <= columns else _broken(line, columns))]


def _broken(name: str, columns: int) -> list[str]:
    """Behind `/` and `-` where there is one, else anywhere."""
    lines = [""]
    for piece in re.findall(r"[^/-]*[/-]|[^/-]+$", name):
        if lines[-1] and len(lines[-1] + piece) > columns:
            lines.append("")
        lines[-1] += piece
    return [part for line in lines for part in textwrap.wrap(line, columns, break_on_hyphens=False)]


def _path(points: tuple[tuple[float, float], ...]) -> str:
    return "M " + " L ".join(f"{_r(x)} {_r(y)}" for x, y in points)


def _r(value: float) -> float:
    return round(value, 1)
