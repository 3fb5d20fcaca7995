"""The panels as one HTML page: no script, nothing fetched."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from html import escape

from llm_d_gke.operations.dashboard.series import PanelData, Series

_STYLE = """
:root { color-scheme: light dark; --a: #2a6fc9; --b: #c2571a; --c: #2b8a3e; --d: #8a3ea8; --e: #a8892b; --f: #c22a5e }
@media (prefers-color-scheme: dark) {
  :root { --a: #6aa5ee; --b: #ee9a6a; --c: #6ac97d; --d: #c48ade; --e: #dec06a; --f: #ee7aa0 }
}
body { font: 16px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 1.5rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1.25rem }
figure { margin: 0; border: 1px solid #8885; border-radius: .5rem; padding: .6rem .8rem; min-width: 0 }
figcaption { font-weight: 600; font-size: .95rem }
svg { width: 100%; height: auto; display: block }
svg text { font: 12px system-ui, sans-serif; fill: currentColor }
ul { list-style: none; margin: .3rem 0 0; padding: 0; font-size: .8rem; overflow-wrap: anywhere }
li::before { content: ""; display: inline-block; width: .8em; height: .25em; margin-right: .5em; vertical-align: middle;
  background: var(--line) }
p { margin: .4rem 0 1rem }
"""
_COLORS = ("--a", "--b", "--c", "--d", "--e", "--f")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 360, 180, 48, 22, 10
_UNITS = {"1": "", "1/s": " /s", "s": " s"}


def page(title: str, remark: str, panels: Sequence[PanelData], end: float, seconds: float, *, refresh: int = 0) -> str:
    """The whole page. `refresh`: seconds after which a browser loads it again, 0 for never."""
    reload = f'<meta http-equiv="refresh" content="{refresh}">' if refresh else ""
    body = "\n".join(_panel(panel, end, seconds) for panel in panels)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{reload}'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(remark)}</p>\n<main>\n{body}\n</main>\n</body></html>\n"
    )


def _panel(data: PanelData, end: float, seconds: float) -> str:
    content = "".join(_content(data, end, seconds))
    return f"<figure><figcaption>{escape(data.panel.title)}</figcaption>{content}</figure>"


def _content(data: PanelData, end: float, seconds: float) -> Iterator[str]:
    drawn = [line for line in data.series if line.points]
    if not drawn:
        yield f"<p>{escape(data.problem or 'No value in this time.')}</p>"
        return
    yield _chart(data, drawn, end, seconds)
    yield "<ul>"
    for number, line in enumerate(drawn):
        last = format_value(line.points[-1][1], data.panel.unit)
        yield f'<li style="--line: var({_color(number)})">{escape(line.name or "all")}: {escape(last)}</li>'
    yield "</ul>"


def _chart(data: PanelData, drawn: Sequence[Series], end: float, seconds: float) -> str:
    largest = max(value for line in drawn for _, value in line.points) or 1.0
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" opacity=".2"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_axis(share * largest, data.panel.unit)}</text>'
        )
    for number, line in enumerate(drawn):
        path = " ".join(
            f"{_LEFT + (_WIDTH - _LEFT) * (1 - (end - moment) / seconds):.1f},"
            f"{_HEIGHT - _BOTTOM - value / largest * (_HEIGHT - _BOTTOM - _TOP):.1f}"
            for moment, value in line.points
        )
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="var({_color(number)})" stroke-width="2"'
            ' stroke-linejoin="round" stroke-linecap="round"/>'
        )
    first, last = (time.strftime("%H:%M:%S", time.gmtime(moment)) for moment in (end - seconds, end))
    parts.append(
        f'<text x="{_LEFT}" y="{_HEIGHT - 4}">{first}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{last} UTC</text>'
    )
    label = escape(f"{data.panel.title} over the last {seconds / 60:g} minutes", quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]


def _axis(value: float, unit: str) -> str:
    """A value at the axis: of seconds below one with its unit, which the title does not name."""
    return format_value(value, unit) if unit == "s" and value else _short(value)


def _short(value: float) -> str:
    # Left of an axis there is room for five figures.
    return f"{value:.0e}" if 0 < abs(value) < 0.001 else f"{value:.3g}"


def format_value(value: float, unit: str) -> str:
    """A value with the unit of its metric: `12.5 /s`; seconds below one in milliseconds."""
    if unit == "s" and abs(value) < 1:
        return f"{value * 1000:.3g} ms"
    return f"{_short(value)}{_UNITS.get(unit, f' {unit}')}"
