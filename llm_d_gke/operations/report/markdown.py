"""A stack's report as Markdown: for change requests and for people without a browser at hand."""

from __future__ import annotations

from collections.abc import Iterator

from llm_d_gke.cli.markdown import table
from llm_d_gke.operations.report import formatting
from llm_d_gke.operations.report.facts import CapacityFacts, CostFacts, ModelFacts, ServerFacts, StackFacts
from llm_d_gke.operations.report.terminal import LEGEND, bar
from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.plan.timeline import TimelinePlan
from llm_d_gke.wording import count


def markdown(facts: StackFacts) -> str:
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: StackFacts) -> Iterator[str]:
    yield f"# Stack `{facts.stack}`"
    yield ""
    plan = facts.plan
    head = "**Refused**: nothing would be created. " if facts.refused else ""
    yield (
        head
        + (f"{formatting.headline(plan)}; " if plan is not None else "")
        + formatting.findings(facts.findings)
        + "."
    )
    if plan is not None:
        yield from ("", "## Models", "")
        yield from (line for model in plan.models for line in _model(model))
        yield from ("## Cost", "")
        yield from _cost(plan.cost)
        if plan.timeline is not None:
            yield from ("", "## Time to the first answer", "")
            yield from _timeline(plan.timeline)
        yield from ("", "## Nodes", "")
        rows = [
            (pool.name, pool.machine_type, f"{pool.low} to {pool.high}", pool.provisioning, ", ".join(pool.zones))
            for pool in plan.pools
        ]
        yield from table(("pool", "machine", "nodes", "purchase option", "zones"), rows)
    yield from ("", "## Findings", "")
    if not facts.findings:
        yield "None."
    yield from (line for item in facts.findings for line in finding(item))
    if facts.assumptions:
        yield from ("", "## Assumed", "")
        yield from (f"- {assumption}" for assumption in facts.assumptions)


def finding(item: Finding) -> Iterator[str]:
    acknowledged = item.acknowledged
    severity = item.severity if acknowledged is None else "acknowledged"
    place = "" if item.place is None else f", {item.place}"
    yield (
        f"- **{severity}** `{item.path} = {item.value}` ({item.id}{place})<br>{item.rule}"
        f"<br>*{item.fix}*" + ("" if acknowledged is None else f"<br>Acknowledged: {acknowledged}")
    )


def _model(model: ModelFacts) -> Iterator[str]:
    yield f"### {model.name}"
    yield ""
    for server in model.servers:
        yield from _server(server)
    if model.capacity is not None:
        yield from _capacity(model.capacity)
    yield ""


def _server(server: ServerFacts) -> Iterator[str]:
    yield f"{formatting.servers(server)}. {formatting.verdict_sentence(server.memory)}"
    yield ""
    if server.memory is not None:
        yield from ("```text", bar(server.memory, 60), LEGEND, "```", "")
        memory = server.memory
        rows = [(part.name, f"{part.gib:.2f} GiB") for part in memory.segments]
        rows += [
            ("one accelerator", f"{memory.total_gib:.2f} GiB"),
            ("KV cache of a replica", f"{formatting.tokens(memory.kv_tokens)} tokens"),
            (f"requests of {memory.max_model_len:,} tokens at once", f"{memory.max_concurrency:,.1f}"),
            ("longest request that fits", f"{memory.longest:,} tokens"),
        ]
        yield from table(("memory", ""), rows, right=(1,))
        yield ""


def _capacity(capacity: CapacityFacts) -> Iterator[str]:
    yield f"Speed ({formatting.certainty(capacity)}):"
    yield ""
    rows = [
        (name, *(("-",) * 4 if speed is None else formatting.speed_row(speed)))
        for name, speed in (
            ("one request alone", capacity.alone),
            (capacity.basis, capacity.at_load),
            ("every batch full", capacity.full),
        )
    ]
    yield from table(("load", "requests/s", "first token", "each token", "waits for"), rows, right=(1, 2, 3))
    if capacity.stages:
        yield ""
        yield from (f"- {formatting.stage_sentence(stage)}" for stage in capacity.stages)
    if capacity.at_load is None:
        yield ""
        yield f"The load {formatting.exceeded(capacity)}."
    if (headroom := formatting.headroom(capacity)) is not None:
        yield ""
        yield f"{headroom[0].upper()}{headroom[1:]}."
    if capacity.needed is not None:
        yield ""
        yield f"The stated load takes {count(capacity.needed, 'replica')}; there are {capacity.replicas}."


def _cost(cost: CostFacts) -> Iterator[str]:
    rows = [
        (line.name, *(formatting.dollars(usd) for usd in (line.running, line.idle, line.paused)), line.note)
        for line in cost.lines
    ]
    for name, sums in (("**an hour**", cost.hourly), ("**a month** (730 h)", cost.monthly)):
        rows.append((name, *(formatting.money(sums[when]) for when in ("running", "idle", "paused")), ""))
    yield from table(("USD an hour", "running", "idle", "paused", ""), rows, right=(1, 2, 3))
    yield ""
    date = formatting.price_date(cost.date) or "no known day"
    yield f"Oldest price of {date}{formatting.unknown_prices(*cost.hourly.values())}."
    yield formatting.saving(cost.saved_by_pausing)
    yield f"With every node pool at its largest: {formatting.at_most(cost)}."
    scaled = formatting.cost_range(cost)
    if scaled is not None:
        yield f"{scaled[0].upper()}{scaled[1:]}."
    choices = formatting.choices(cost)
    if choices is not None:
        yield f"{choices[0].upper()}{choices[1:]}."
    ways = ", ".join(
        f"{way.provisioning} {formatting.money(way.total)}{' (chosen)' if way.chosen else ''}"
        for way in cost.alternatives
        if way.chosen or formatting.is_known(way.total)
    )
    yield f"Per hour, for each purchase option: {ways}."
    if cost.basis is not None:
        units = ", ".join(f"per million {name} {formatting.money(amount)}" for name, amount in cost.per_million.items())
        yield f"At {cost.basis}: {units}."


def _timeline(timeline: TimelinePlan) -> Iterator[str]:
    yield formatting.timeline_sentence(timeline)
    yield ""
    rows = [
        (
            f"**{step.title}**" if step.critical else step.title,
            formatting.step_duration(step),
            ", ".join(step.after) or "-",
            step.source,
        )
        for step in timeline.steps
    ]
    yield from table(("step (bold: critical path)", "takes", "after", "source"), rows, right=(1,))
