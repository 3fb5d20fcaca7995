"""A stack's verdict as a short table: what `preview` and `up` show before anything is created."""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from operations.report import words
from operations.report.facts import Kind, MemoryFacts, ModelFacts, ServerFacts, StackFacts

_WIDTH = 100
_BAR = 24
_BLOCKS: dict[Kind, str] = {"weights": "█", "engine": "▓", "kv-cache": "▒", "outside": "·"}
LEGEND = "█ weights  ▓ activations, CUDA, graphs  ▒ KV cache  · outside vLLM's share"


def summary(facts: StackFacts) -> str:
    """The table as plain text of at most 100 columns: it goes through the engine's log, which keeps no colours."""
    console = Console(file=StringIO(), width=_WIDTH, color_system=None, legacy_windows=False)
    console.print(_table(facts))
    text = console.file.getvalue() if isinstance(console.file, StringIO) else ""
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()


def bar(memory: MemoryFacts, width: int = _BAR) -> str:
    """One accelerator's memory as blocks. Largest remainders get what rounding leaves; no part vanishes."""
    whole = max(memory.total_gib, sum(part.gib for part in memory.segments))
    exact = [part.gib / whole * width for part in memory.segments]
    cells = [max(1, int(size)) if size > 0.25 else 0 for size in exact]
    order = sorted(range(len(exact)), key=lambda i: exact[i] - cells[i], reverse=True)
    for position in range(abs(width - sum(cells))):
        index = order[position % len(order)] if sum(cells) < width else cells.index(max(cells))
        cells[index] += 1 if sum(cells) < width else -1
    return "".join(_BLOCKS[part.kind] * count for part, count in zip(memory.segments, cells, strict=True))


def _table(facts: StackFacts) -> RenderableType:
    plan = facts.plan
    if plan is None:
        return Text(words.findings(facts.findings))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), expand=False)
    for name in ("model", "memory of one accelerator", "verdict", "estimate at the stated load"):
        table.add_column(name, overflow="fold")
    for model in plan.models:
        for server in model.servers:
            table.add_row(*_row(model, server))
    cost = plan.cost
    hourly, monthly = cost.hourly, cost.monthly
    money = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for when in ("running", "idle", "paused"):
        money.add_row(when, f"{words.money(hourly[when])} an hour", f"{words.money(monthly[when])} a month")
    if cost.basis is not None:
        requests, answers = cost.per_million["requests"], cost.per_million["output tokens"]
        money.add_row("a million", f"{words.money(requests)} requests", f"{words.money(answers)} output tokens")
    others = [f"{one.provisioning} {words.money(one.total)}" for one in cost.alternatives if not one.chosen]
    notes = [
        f"accelerators bought otherwise, an hour in all: {', '.join(others)}",
        f"prices of {cost.date}{words.without(hourly['running'])}" if cost.date else "no price is known",
    ]
    return Group(
        Text(f"{facts.stack}: {words.headline(plan)}; {words.findings(facts.findings)}"),
        table,
        Text(LEGEND),
        Text(""),
        money,
        *(Text(note) for note in notes),
    )


def _row(model: ModelFacts, server: ServerFacts) -> tuple[str, str, str, str]:
    name = f"{model.name}\n{words.count(server.replicas, 'replica')} on {server.hardware}"
    if server.role != "both":
        name += f", {server.role}"
    memory = server.memory
    if memory is None:
        drawn, judged = "(no figures)", words.verdict(None)
    else:
        drawn = f"{bar(memory)}\n{memory.total_gib:.1f} GiB, {words.tokens(memory.kv_tokens)} KV tokens"
        judged = f"{words.verdict(memory)}\n{memory.margin_gib:+.1f} GiB"
    capacity = model.capacity
    if capacity is None:
        return name, drawn, judged, ""
    own = "".join(
        f"{words.rate(stage.requests_per_second)} requests/s at most{', the limit' if stage.limits else ''}"
        for stage in capacity.stages
        if stage.role == server.role
    )
    if server.role == "prefill":
        return name, drawn, judged, own
    speed = capacity.at_load
    if speed is None:
        load = f"{capacity.basis}:\nmore than they serve"
    else:
        doubt = f"±{capacity.error:.0%}" if capacity.fitted else "not measured"
        load = (
            f"{words.rate(speed.requests_per_second)} requests/s ({doubt})\nfirst token "
            f"{words.seconds(speed.time_to_first_token)}, then {words.seconds(speed.time_per_output_token)}"
        )
    return name, drawn, judged, f"{load}\n{own}".rstrip()
