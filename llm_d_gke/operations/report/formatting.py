"""Numbers and verdicts as people read them, the same in every rendering."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from llm_d_gke.operations.report.facts import (
    CapacityFacts,
    CostFacts,
    MemoryFacts,
    ModelFacts,
    PlanFacts,
    ServerFacts,
    SpeedFacts,
)
from llm_d_gke.planning.findings import Finding
from llm_d_gke.planning.plan.estimates import StageRate, Total
from llm_d_gke.planning.plan.timeline import TimelinePlan, TimelineStep
from llm_d_gke.planning.surge_capacity import OUTAGE
from llm_d_gke.wording import count

OLD_PRICE_DAYS = 120

VERDICTS = {"fits": "fits", "marginal": "marginal", "refused": "does not fit"}
_LIMITS = {
    "loading": "the weights before they are converted",
    "weights": "the weights",
    "kv-cache": "the KV cache",
    "warm-up": "what start-up needs beside vLLM's share",
    "states": "the states of linear layers",
}


def dollars(usd: float | None) -> str:
    """Dollars, with cents for small amounts."""
    if usd is None:
        return "unknown"
    return f"${usd:,.0f}" if abs(usd) >= 1000 else f"${usd:,.2f}"


def is_known(amount: Total) -> bool:
    """Whether a sum includes the accelerators. Without them it is not meaningful."""
    return "accelerator nodes" not in amount.unknown


def money(amount: Total | None) -> str:
    """A sum that lacks a part is the least."""
    if amount is None or not is_known(amount):
        return "unknown"
    return f"at least {dollars(amount.usd)}" if amount.unknown else dollars(amount.usd)


def saving(amount: Total) -> str:
    """The saving by pausing, if it is known."""
    if not is_known(amount):
        return "What pausing saves is unknown."
    return f"Pausing saves {money(amount)} an hour while the stack would run."


def unknown_prices(*amounts: Total) -> str:
    """`, without the unknown prices of boot disks`, or nothing."""
    names = dict.fromkeys(name for amount in amounts for name in amount.unknown)
    return f", without the unknown price of {' and '.join(names)}" if names else ""


def price_date(date: str) -> str:
    """The date of the oldest price; where that is long ago, with its age."""
    try:
        age = (datetime.date.today() - datetime.date.fromisoformat(date)).days
    except ValueError:
        return date
    return f"{date}, {age} days ago: check them" if age > OLD_PRICE_DAYS else date


def seconds(value: float) -> str:
    """Milliseconds below one second."""
    if value < 0.01:
        return f"{value * 1000:.1f} ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def rate(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def tokens(value: int) -> str:
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value:,}"


def verdict(memory: MemoryFacts | None) -> str:
    return "not judged" if memory is None else VERDICTS[memory.status]


def verdict_sentence(memory: MemoryFacts | None) -> str:
    """How far the memory is from the limit, and what the limit is."""
    if memory is None:
        return "The catalog lacks a figure of the model or the accelerator: memory is not judged."
    limit, margin = _LIMITS[memory.limit], memory.margin_gib
    if memory.status == "fits":
        return (
            f"Fits with {margin:.1f} GiB to spare; the estimate's error is {memory.error_gib:.1f} GiB. "
            f"The nearest limit is {limit}."
        )
    if memory.status == "marginal":
        return (
            f"Marginal: {margin:+.2f} GiB to the nearest limit, {limit}, is inside the estimate's error of "
            f"{memory.error_gib:.1f} GiB."
        )
    return f"Does not fit: {-margin:.2f} GiB are missing; the limit is {limit}."


def servers(server: ServerFacts) -> str:
    """`Decode: 2 replicas on 4 x H100 80 GB (A3 High)`"""
    role = "" if server.role == "both" else f"{server.role.capitalize()}: "
    # A minimum above the maximum is a finding; the line is no range then.
    least = "" if server.least_replicas >= server.replicas else f"{server.least_replicas} to "
    return f"{role}{least}{count(server.replicas, 'replica')} on {server.hardware}"


def outages(models: Iterable[ModelFacts]) -> list[str]:
    """A sentence for each only replica that ends before its successor starts."""
    servers = [server for model in models for server in model.servers]
    return [
        f"a change of the pods of {server.name}: {OUTAGE}"
        for server in servers
        if server.replicas == server.least_replicas == 1 and not server.max_surge
    ]


def error_margin(capacity: CapacityFacts) -> str:
    """The reliability of an estimate, in a word or two."""
    return f"±{capacity.error:.0%}" if capacity.measured else "order of magnitude"


def certainty(capacity: CapacityFacts) -> str:
    """The method of a speed estimate, and its measured error."""
    if capacity.measured:
        return (
            f"estimate by the {capacity.method}, give or take {capacity.typical_error:.0%} in half of the published "
            f"measurements held against it and {capacity.error:.0%} in nine of ten"
        )
    if capacity.stages:
        return "an estimate not fitted to measurements, for there are none of two stages: an order of magnitude"
    return (
        f"an estimate by the {capacity.method}, not held against a measurement: none was published of this accelerator "
        "with such attention"
    )


def exceeded(capacity: CapacityFacts) -> str:
    """That the stated load is too much, and how much would not be."""
    return f"exceeds the capacity of about {rate(capacity.full.requests_per_second)} requests/s"


def headroom(capacity: CapacityFacts) -> str | None:
    """Capacity and headroom where the load is stated as a rate, which the speed at that load only repeats.

    With stated latencies it is the capacity that keeps them: full batches answer more requests, and later.
    """
    if capacity.at_load is None or not capacity.is_rate:
        return None
    load, full = capacity.at_load.requests_per_second, capacity.full.requests_per_second
    bounded = capacity.within_objectives
    most = full if bounded is None else bounded.requests_per_second
    within = " within the stated latencies" if bounded is not None and most < full else ""
    return f"capacity about {rate(most)} requests/s{within}, {max(0.0, most / load - 1):.0%} above the load"


def stage_sentence(stage: StageRate) -> str:
    """The throughput of one role alone, and whether that role is the limit."""
    limit = ", which limits both" if stage.limits else ""
    needed = f"; the stated load takes {count(stage.needed, 'replica')}" if stage.needed is not None else ""
    return (
        f"{stage.role.capitalize()}: {count(stage.replicas, 'replica')}, "
        f"at most {rate(stage.requests_per_second)} requests/s{limit}{needed}."
    )


def at_most(cost: CostFacts) -> str:
    """The highest cost of the stack, with every node pool at its largest size.

    Where the replicas need more nodes than the pools may have, they cost more than that, and there is no such sum.
    """
    monthly = cost.at_most_monthly
    if pools_too_small(cost):
        return "too small for the replicas"
    return f"{money(monthly)} a month" if monthly.unknown else f"at most {money(monthly)} a month"


def pools_too_small(cost: CostFacts) -> bool:
    """Whether the running replicas cost more than the largest node pools.

    Where the pools have choices, the price of one that only the largest sum counts may be unknown: it says nothing.
    """
    most, running = cost.at_most_monthly, cost.monthly["running"]
    return set(most.unknown) <= set(running.unknown) and most.usd < running.usd


def cost_range(cost: CostFacts) -> str | None:
    """What the stack costs between the fewest and the most replicas; None where their number is fixed."""
    if cost.scaled_down is None or cost.scaled_down_monthly is None:
        return None
    if cost.scaled_down.usd > cost.hourly["running"].usd:
        return None
    return (
        f"replicas follow the load: {money(cost.scaled_down)} to {money(cost.hourly['running'])} an hour,"
        f" {money(cost.scaled_down_monthly)} to {money(cost.monthly['running'])} a month"
    )


def choices(cost: CostFacts) -> str | None:
    """What the stack costs by the choice of its compute class; None where it has node pools."""
    if not cost.choices:
        return None
    costs = [f"{number}. {choice.title} {money(choice.total)}" for number, choice in enumerate(cost.choices, start=1)]
    return f"an hour, by the choice that GKE takes: {', '.join(costs)}"


# What a purchase option takes from a stack. A reservation and on-demand nodes take nothing.
_STAY = {
    "spot": "spot nodes, which Google may take back at any time",
    "flex-start": "flex-start nodes, each for seven days at most",
}


def purchase(cost: CostFacts) -> str | None:
    """What the accelerators are bought as, where that limits how long they stay; None where it does not."""
    chosen = next((way.provisioning for way in cost.alternatives if way.chosen), "")
    return f"priced with {_STAY[chosen]}" if chosen in _STAY else None


def findings(all_findings: tuple[Finding, ...]) -> str:
    errors = sum(1 for finding in all_findings if finding.severity == "error")
    acknowledged = sum(1 for finding in all_findings if finding.acknowledged is not None)
    warnings = len(all_findings) - errors - acknowledged
    parts = [count(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    parts += [f"{acknowledged} acknowledged"] if acknowledged else []
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:]))) or "no findings"


def headline(plan: PlanFacts) -> str:
    models = count(len(plan.models), "model")
    return f"{plan.pattern}, {models}, {plan.location}, release {plan.release}" + (", paused" if plan.paused else "")


def speed_row(speed: SpeedFacts) -> tuple[str, str, str, str]:
    """Requests a second, first token, each further token, and what bounds it."""
    return (
        rate(speed.requests_per_second),
        seconds(speed.time_to_first_token),
        seconds(speed.time_per_output_token),
        speed.bound,
    )


def minutes(best: float, worst: float) -> str:
    """`12 to 31 min`"""
    quick, slow = max(1, round(best / 60)), max(1, round(worst / 60))
    return f"{quick} min" if quick == slow else f"{quick} to {slow} min"


def timeline_sentence(timeline: TimelinePlan) -> str:
    """When a new stack answers, and the steps that decide that."""
    chain = "; ".join(f"{step.title} {_span(step)}" for step in timeline.critical_path)
    timed = [step.title for step in timeline.steps if step.verified]
    least = "" if timeline.is_complete else "at least "
    trust = f"Measured: {', '.join(timed)}." if timed else "No step was measured."
    return (
        f"First answer {least}{minutes(timeline.best, timeline.worst)} after the first up of a new stack."
        f" Critical path: {chain}. {trust} The others are rules of thumb."
    )


def step_duration(step: TimelineStep) -> str:
    """Both figures of a step, for a table."""
    if not step.has_figures:
        return _span(step)
    return minutes(step.best, step.worst) if step.worst >= 60 else f"{step.best:.0f} to {step.worst:.0f} s"


def _span(step: TimelineStep) -> str:
    if not step.has_figures:
        return "not known" if step.worst == 0 else f"at least {minutes(step.best, step.worst)}"
    if step.worst < 90:
        return f"{step.worst:.0f} s"
    return minutes(step.best, step.worst)
