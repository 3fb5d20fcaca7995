"""A stack's report as one HTML page: no script, nothing fetched, light and dark, phone and desktop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from llm_d_gke.operations.report import formatting
from llm_d_gke.operations.report.facts import WHENS, CapacityFacts, MemoryFacts, SpeedFacts, StackFacts
from llm_d_gke.operations.report.topology import topology
from llm_d_gke.operations.templates import render
from llm_d_gke.operations.templates.drawing import Drawing, Shape, area, line, rect, text

# Cards beside each other in the drawing of wide windows.
_COLUMNS = 3


def page(facts: StackFacts) -> str:
    """The whole document. All values of a stack file are escaped: names and findings are text, never markup."""
    plan = facts.plan
    drawings = {} if plan is None else {"wide": topology(plan, _COLUMNS), "narrow": topology(plan, 1)}
    return render(
        Path(__file__).with_name("page.html.jinja"),
        facts=facts,
        plan=plan,
        drawings=drawings,
        memory_bar=memory_bar,
        rate_curve=rate_curve,
        token_curve=token_curve,
        formatting=formatting,
        whens=WHENS,
    )


_WIDTH = 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 14.0, 38.0, 40.0
_HEIGHT = 240.0


def memory_bar(memory: MemoryFacts) -> Drawing:
    """One accelerator's memory from left to right; excess memory is drawn beyond its end."""
    height, bar = 52.0, 30.0
    needed = sum(part.gib for part in memory.segments)
    extent = max(memory.total_gib, needed) or 1.0
    scale = _WIDTH / extent
    shapes: list[Shape] = []
    x = 0.0
    for part in memory.segments:
        wide = part.gib * scale
        shapes.append(rect(f"part {part.kind}", x, 0, wide, bar))
        if wide > 44:
            shapes.append(text(f"inside {part.kind}", x + wide / 2, bar / 2 + 4, f"{part.gib:.1f}", "middle"))
        x += wide
    end = memory.total_gib * scale
    shapes.append(line("limit", (end - 0.75, -0), (end - 0.75, bar + 5)))
    shapes.append(text("axis", 0, height - 4, "0"))
    shapes.append(text("axis", end, height - 4, f"{memory.total_gib:.1f} GiB", "end"))
    label = ", ".join(f"{part.name} {part.gib:.1f} GiB" for part in memory.segments)
    return Drawing(width=_WIDTH, height=height, label=f"Of {memory.total_gib:.1f} GiB: {label}", shapes=tuple(shapes))


def rate_curve(capacity: CapacityFacts) -> Drawing:
    """Requests a second over requests in flight, with the estimate's error, where one is known, as a band."""
    return _chart(
        capacity,
        value=lambda speed: speed.requests_per_second,
        written=formatting.rate,
        name="requests a second",
        spread=capacity.error if capacity.measured else 0,
    )


def token_curve(capacity: CapacityFacts) -> Drawing:
    """Time per output token over requests in flight."""
    return _chart(
        capacity,
        value=lambda speed: speed.time_per_output_token * 1000,
        written=lambda value: f"{value:.0f}" if value >= 10 else f"{value:.1f}",
        name="milliseconds for each output token",
        spread=capacity.error if capacity.measured else 0,
    )


def _chart(
    capacity: CapacityFacts,
    *,
    value: Callable[[SpeedFacts], float],
    written: Callable[[float], str],
    name: str,
    spread: float,
) -> Drawing:
    points = [(point.concurrency, value(point)) for point in capacity.curve]
    last = max(x for x, _ in points)
    top = _round_scale(max(y for _, y in points) * (1 + spread))
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        along = math.log(max(1.0, x)) / math.log(max(2.0, last))
        return _LEFT + along * width, _TOP + height * (1 - min(1.0, y / top))

    shapes: list[Shape] = []
    for step in range(5):
        y = top * step / 4
        (_, level) = at(1, y)
        shapes.append(line("grid", (_LEFT, level), (_WIDTH - _RIGHT, level)))
        shapes.append(text("axis", _LEFT - 6, level + 4, f"{y:g}", "end"))
    for x in _ticks(last):
        (place, floor) = at(x, 0)
        shapes.append(line("grid", (place, floor), (place, floor + 4)))
        shapes.append(text("axis", place, floor + 17, f"{x:,}", "middle"))
    upper = [at(x, y * (1 + spread)) for x, y in points]
    lower = [at(x, y * (1 - spread)) for x, y in reversed(points)]
    if spread:
        shapes.append(area("band", *upper, *lower))
    shapes.append(line("curve", *(at(x, y) for x, y in points)))
    shapes += _marks(capacity, value, written, at)
    shapes.append(text("heading", 0, 14, name))
    shapes.append(text("axis", _LEFT + width / 2, _HEIGHT - 4, "requests in flight", "middle"))
    label = f"{name} rise from {written(points[0][1])} at one request in flight to {written(points[-1][1])} at {last:g}"
    return Drawing(width=_WIDTH, height=_HEIGHT, label=label[0].upper() + label[1:], shapes=tuple(shapes))


def _marks(
    capacity: CapacityFacts,
    value: Callable[[SpeedFacts], float],
    written: Callable[[float], str],
    at: Callable[[float, float], tuple[float, float]],
) -> list[Shape]:
    """Marks for the point where every batch is full, and for the stated load."""
    shapes: list[Shape] = []
    x, y = at(capacity.full.concurrency, value(capacity.full))
    (_, floor) = at(1, 0)
    shapes.append(line("full", (x, _TOP), (x, floor)))
    shapes.append(text("axis", x, _TOP - 6, "batches full", "middle" if x < _WIDTH - 60 else "end"))
    speed = capacity.at_load
    if speed is not None:
        x, y = at(speed.concurrency, value(speed))
        shapes.append(rect("mark", x - 4, y - 4, 8, 8))
        shapes.append(text("value", x - 8, y - 8, written(value(speed)), "end"))
    return shapes


def _round_scale(largest: float) -> float:
    """The next of 1, 2, 4, 8 times a power of ten: its quarters are short numbers."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= largest)


def _ticks(last: float) -> Sequence[int]:
    """About six axis ticks, at powers of two or of ten."""
    base = 2 if last <= 64 else 4 if last <= 2048 else 10
    return [base**n for n in range(32) if base**n <= last]
