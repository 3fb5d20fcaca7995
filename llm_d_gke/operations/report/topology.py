"""Draws a stack: the path of a request, and the placement of pods on nodes."""

from __future__ import annotations

from llm_d_gke.operations.report import formatting
from llm_d_gke.operations.report.facts import ModelFacts, PlanFacts, ServerFacts
from llm_d_gke.operations.templates.drawing import Drawing, Shape, line, rect, text, wrapped

_GAP, _PAD, _BOX = 26.0, 14.0, 40.0
_CARD, _FRAME = 304.0, 16.0
_SQUARE, _MAX_SQUARES = 22.0, 24
# Width of a character of small words and of a title, in the widest of the fonts that pages are shown in.
_SMALL, _TITLE = 7.0, 8.6


def topology(plan: PlanFacts, columns: int) -> Drawing:
    """Requests enter at the top; inside the cluster are the models' pools, `columns` of them in a row."""
    columns = max(1, min(columns, len(plan.models)))
    width = columns * _CARD + (columns - 1) * _GAP + 2 * _FRAME + 8
    middle, wide = width / 2, min(_CARD, width)
    shapes = [
        rect("node client", middle - wide / 2, 2, wide, _BOX),
        text("name", middle, 27, "clients", "middle"),
        _arrow(middle, 2 + _BOX, 2 + _BOX + _GAP),
        rect("node", middle - wide / 2, 2 + _BOX + _GAP, wide, _BOX),
        text("name", middle, 27 + _BOX + _GAP, f"Gateway: {plan.exposure} load balancer", "middle"),
    ]
    start = 2 + 2 * _BOX + _GAP
    frame = start + _GAP / 2
    top = frame + _GAP
    if plan.router is not None:
        shapes += [
            _arrow(middle, start, top),
            rect("node picker", middle - wide / 2, top, wide, _BOX),
            text("name", middle, top + 25, "model router: which model?", "middle"),
        ]
        start = top + _BOX
        top = start + _GAP
    bottom, cards = _cards(plan.models, columns, width, top, (middle, start))
    shapes += cards
    room = width - 2 * _FRAME - 8
    nodes = ", ".join(f"{pool.low} to {pool.high} {pool.machine_type}" for pool in plan.pools)
    below = [f"GKE cluster {plan.cluster}, {plan.location}", f"nodes: {nodes}"]
    lines = [line for sentence in below for line in wrapped(sentence, room, _SMALL)]
    for number, caption in enumerate(lines):
        shapes.append(text("small muted", 4 + _FRAME, bottom + 16 + 18 * number, caption))
    bottom += 12 + 18 * len(lines)
    shapes.insert(0, rect("frame", 4, frame, width - 8, bottom - frame))
    names = ", ".join(model.name for model in plan.models)
    return Drawing(
        width=width, height=bottom + 4, label=f"Clients, a load balancer and the pools of {names}", shapes=tuple(shapes)
    )


def _cards(
    models: tuple[ModelFacts, ...], columns: int, width: float, top: float, start: tuple[float, float]
) -> tuple[float, list[Shape]]:
    """Rows of cards and the wires to them: the first row hangs from `start`, later ones from a rail at the left."""
    middle, from_y = start
    rail = 4 + _FRAME / 2
    shapes: list[Shape] = []
    for first in range(0, len(models), columns):
        row, bus = models[first : first + columns], top - _GAP / 2
        left = (width - len(row) * _CARD - (len(row) - 1) * _GAP) / 2 if first == 0 else 4 + _FRAME
        if first:
            shapes.append(line("wire", (middle, from_y + _GAP / 2), (rail, from_y + _GAP / 2), (rail, bus)))
        tallest = 0.0
        for position, model in enumerate(row):
            x = left + position * (_CARD + _GAP)
            center = x + _CARD / 2
            corner = (rail, bus) if first else (middle, from_y)
            shapes.append(line("wire", corner, (corner[0], bus), (center, bus), (center, top - 1)))
            shapes.append(line("wire", (center - 5, top - 7), (center, top - 1), (center + 5, top - 7)))
            card, height = _card(model, x, top)
            shapes += card
            tallest = max(tallest, height)
        top += tallest + _GAP
    return top - _GAP / 2, shapes


def _card(model: ModelFacts, x: float, y: float) -> tuple[list[Shape], float]:
    """One model's pool: its picker, and a square for each replica of each role."""
    inner = _CARD - 2 * _PAD
    title = wrapped(model.name, inner, _TITLE)
    shapes: list[Shape] = [text("title", x + _PAD, y + 26 + 18 * n, line) for n, line in enumerate(title)]
    below = y + 20 + 18 * len(title)
    if model.picker is not None:
        shapes.append(rect("node picker", x + _PAD, below, inner, 32))
        shapes.append(text("small", x + _PAD + 10, below + 21, "endpoint picker: which replica?"))
        below += 32 + 12
    for server in model.servers:
        part, height = _servers(server, x + _PAD, below, inner)
        shapes += part
        below += height
    height = below - y + _PAD - 6
    return [rect("card", x, y, _CARD, height), *shapes], height


def _servers(server: ServerFacts, x: float, y: float, width: float) -> tuple[list[Shape], float]:
    lines = wrapped(formatting.servers(server), width, _SMALL)
    shapes = [text("small", x, y + 12 + 16 * n, line) for n, line in enumerate(lines)]
    y += 16 * (len(lines) - 1)
    pitch, in_row = _SQUARE + 6, int((width + 6) // (_SQUARE + 6))
    status = "unknown" if server.memory is None else server.memory.status
    visible = min(server.replicas, _MAX_SQUARES)
    for index in range(visible):
        place = (x + index % in_row * pitch, y + 22 + index // in_row * pitch)
        shapes.append(rect(f"replica {status}", *place, _SQUARE, _SQUARE))
    rows = -(-visible // in_row)
    if server.replicas > visible:
        shapes.append(text("small muted", x, y + 34 + rows * pitch, f"and {server.replicas - visible} more"))
        rows += 1
    return shapes, 16 * (len(lines) - 1) + 26 + rows * pitch


def _arrow(x: float, top: float, bottom: float) -> Shape:
    return line("wire", (x, top), (x, bottom), (x - 5, bottom - 6), (x, bottom), (x + 5, bottom - 6))
