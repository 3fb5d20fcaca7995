"""A stack's verdict as a short table: what `preview` and `up` show before anything is created."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llm_d_gke.cli.drawing import drawn
from llm_d_gke.operations.report import formatting
from llm_d_gke.operations.report.facts import CapacityFacts, Kind, MemoryFacts, ModelFacts, StackFacts
from llm_d_gke.planning.findings import in_full
from llm_d_gke.wording import WIDTH, wrapped

# A variable for updates that follow each other, such as the steps of an upgrade, whose plan was printed before.
WITHOUT_VERDICT = "LLM_D_WITHOUT_VERDICT"

_BAR = 24
_BLOCKS: dict[Kind, str] = {"weights": "█", "engine": "▓", "kv-cache": "▒", "outside": "·"}
REFUSED = "REFUSED: nothing would be created."
LEGEND = "█ weights ▓ activations, runtime, graphs ▒ KV cache · outside vLLM's share"


def summary(facts: StackFacts, width: int = WIDTH) -> str:
    """The table as plain text without colors, for a terminal or for the log of `pulumi up`."""
    return drawn(_table(facts), width=width).rstrip()


def report_text(facts: StackFacts) -> str:
    """The table, then every finding in full: the output of the command `report`."""
    parts = [REFUSED] if facts.refused else []
    parts.append(summary(facts))
    if facts.findings:
        parts.append(wrapped(in_full(facts.findings)))
    if assumed := [note for note in facts.assumptions if not note.endswith("is encrypted and not read")]:
        parts.append(drawn(Text(f"Assumed for this report: {'; '.join(assumed)}.")).rstrip())
    return "\n\n".join(parts)


def bar(memory: MemoryFacts, width: int = _BAR) -> str:
    """One accelerator's memory as blocks. Largest remainders get what rounding leaves; no part vanishes."""
    extent = max(memory.total_gib, sum(part.gib for part in memory.segments))
    exact = [part.gib / extent * width for part in memory.segments]
    cells = [max(1, int(size)) if size > 0.25 else 0 for size in exact]
    order = sorted(range(len(exact)), key=lambda i: exact[i] - cells[i], reverse=True)
    for position in range(abs(width - sum(cells))):
        index = order[position % len(order)] if sum(cells) < width else cells.index(max(cells))
        cells[index] += 1 if sum(cells) < width else -1
    return "".join(_BLOCKS[part.kind] * count for part, count in zip(memory.segments, cells, strict=True))


def _table(facts: StackFacts) -> RenderableType:
    plan = facts.plan
    if plan is None:
        return Text(f"{facts.stack}: {formatting.findings(facts.findings)}")
    cost = plan.cost
    hourly, monthly = cost.hourly, cost.monthly
    money = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for when in ("running", "idle", "paused"):
        money.add_row(when, f"{formatting.money(hourly[when])} an hour", f"{formatting.money(monthly[when])} a month")
    if cost.basis is not None:
        requests, answers = cost.per_million["requests"], cost.per_million["output tokens"]
        money.add_row(
            "per million", f"requests {formatting.money(requests)}", f"output tokens {formatting.money(answers)}"
        )
    others = [
        f"{way.provisioning} {formatting.money(way.total)}"
        for way in cost.alternatives
        if not way.chosen and formatting.is_known(way.total) and way.total != hourly["running"]
    ]
    notes = [
        f"with every node pool at its largest: {formatting.at_most(cost)}",
        *([choices] if (choices := formatting.choices(cost)) is not None else []),
        *([scaled] if (scaled := formatting.cost_range(cost)) is not None else []),
        *([bought] if (bought := formatting.purchase(cost)) is not None else []),
        *([f"other purchase options, per hour: {', '.join(others)}"] if others else []),
        f"oldest price of {formatting.price_date(cost.date)}{formatting.unknown_prices(hourly['running'])}"
        if cost.date
        else "no price is known",
        *_methods(plan.models),
        *([] if plan.paused else formatting.outages(plan.models)),
    ]
    return Group(
        Text(f"{facts.stack}: {formatting.headline(plan)}; {formatting.findings(facts.findings)}"),
        *(part for model in plan.models for part in _model(model, paused=plan.paused)),
        Text(""),
        *((Text(LEGEND), Text("")) if any(server.memory for model in plan.models for server in model.servers) else ()),
        money,
        *(Text(note) for note in notes),
        *([Text(""), Text(formatting.timeline_sentence(plan.timeline))] if plan.timeline is not None else []),
    )


def _methods(models: Sequence[ModelFacts]) -> list[str]:
    """The method of each estimate of speed with its error, once for all models that share it."""
    methods = [formatting.certainty(model.capacity) for model in models if model.capacity is not None]
    return [f"speed: {method}" for method in dict.fromkeys(methods)]


def _model(model: ModelFacts, *, paused: bool) -> Iterator[RenderableType]:
    """A model's name, the servers of each role with the memory of one accelerator, and the estimated throughput."""
    yield Text(f"\n{model.name}")
    for server in model.servers:
        yield _indented(formatting.servers(server), 2)
        yield _indented(_memory(server.memory), 4)
    if model.capacity is not None:
        condition = "once it is not paused: " if paused else ""
        yield _indented(condition + "\n".join(_capacity(model.capacity)), 2)


def _memory(memory: MemoryFacts | None) -> str:
    if memory is None:
        return f"memory {formatting.verdict(None)}: no figures"
    judged = f"{formatting.verdict(memory)}, {memory.margin_gib:+.1f} GiB of {memory.total_gib:.1f}"
    return f"{bar(memory)}  {judged}, {formatting.tokens(memory.kv_tokens)} KV tokens"


def _capacity(capacity: CapacityFacts) -> Iterator[str]:
    speed = capacity.at_load
    if speed is None:
        yield f"{capacity.basis} {formatting.exceeded(capacity)}"
    else:
        yield (
            f"{formatting.rate(speed.requests_per_second)} requests/s ({formatting.error_margin(capacity)}), first"
            f" token {formatting.seconds(speed.time_to_first_token)}, "
            f"then {formatting.seconds(speed.time_per_output_token)} each"
        )
        yield f"  at {capacity.basis}"
        if (headroom := formatting.headroom(capacity)) is not None:
            yield f"  {headroom}"
    for stage in capacity.stages:
        yield f"  {formatting.stage_sentence(stage)}"


def _indented(text: str, by: int) -> RenderableType:
    return Padding(Text(text), (0, 0, 0, by))
