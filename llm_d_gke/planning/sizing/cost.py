"""What a stack costs by the hour, from dated prices. An unknown price stays unknown."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from llm_d_gke.catalog.engine import load_engine
from llm_d_gke.catalog.price_entries import Price
from llm_d_gke.catalog.prices import Prices
from llm_d_gke.catalog.schema import Provisioning
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.plan.estimates import (
    HOURS_A_MONTH,
    Alternative,
    CapacityPlan,
    ChoiceCost,
    CostLine,
    CostPlan,
    Total,
    UnitCost,
    total,
)
from llm_d_gke.planning.plan.infrastructure import NodeChoicePlan, NodePoolPlan
from llm_d_gke.planning.sizing.budget import check_budget, least_cpu_nodes
from llm_d_gke.planning.sizing.prices import billed, check_prices, prices_of
from llm_d_gke.wording import count

ACCELERATORS = "accelerator nodes"

# Google bills the first five forwarding rules of a project together (cloud.google.com/load-balancing/pricing).
_RULES_TOGETHER = 5

_WAYS: tuple[Provisioning, ...] = ("on-demand", "spot", "flex-start", "reserved")


def plan_cost(
    ctx: PlanContext,
    cpu_pool: NodePoolPlan,
    pools: Sequence[tuple[NodePoolPlan, int]],
    capacities: Sequence[CapacityPlan | None],
    pickers: int,
    fewest: Sequence[tuple[NodePoolPlan, int]],
    *,
    follows_load: bool,
) -> CostPlan:
    """`pools` are the accelerator pools, each with the nodes that all its replicas take; `pickers` pods are scraped.

    `capacities` are those of the models; the cost of a million requests is known only with all of them. `fewest` are
    the same pools, each with the nodes that run without a request: those of the fewest replicas, and at least the
    pool's minimum. `follows_load`: some model's number of replicas does.
    """
    check_prices(ctx)
    prices = prices_of(ctx)
    bill = _Bill(ctx, prices, cpu_pool, pools, fewest, pickers)
    lines = tuple(line for line in bill.lines() if line is not None)
    chosen = {billed(pool.provisioning) for pool, _ in pools}
    alternatives = tuple(
        _alternative(bill, lines, way, chosen == {way}) for way in _WAYS if way in chosen or _is_sold(ctx, way)
    )
    cost = CostPlan(
        lines=lines,
        alternatives=alternatives,
        units=_unit_cost(total((line.name, line.running) for line in lines), capacities),
        date=str(min(bill.dates)) if bill.dates else "",
        choices=bill.choices(lines),
        scaled_down=total((line.name, line.idle) for line in lines) if follows_load else None,
    )
    check_budget(ctx, cost, cpu_pool, pools)
    return cost


def _is_sold(ctx: PlanContext, way: Provisioning) -> bool:
    """Whether the stack's accelerator machine can be bought so."""
    if way == "on-demand":
        return ctx.machine.on_demand_ok
    return way != "flex-start" or ctx.accelerator.flex_start


def _servers(ctx: PlanContext, *, fewest: bool = False) -> int:
    """Model servers of all stages: the most, or the fewest."""
    stages = [stage for model in ctx.settings.models for stage in (model, model.prefill) if stage is not None]
    return sum(
        stage.replicas
        if stage.autoscaling is None
        else (stage.autoscaling.minimum if fewest else stage.autoscaling.maximum)
        for stage in stages
    )


@dataclass(frozen=True)
class _Bill:
    """The lines of one stack. `dates` gathers those of the prices used."""

    ctx: PlanContext
    prices: Prices
    cpu_pool: NodePoolPlan
    pools: Sequence[tuple[NodePoolPlan, int]]
    fewest: Sequence[tuple[NodePoolPlan, int]]
    pickers: int
    dates: list[datetime.date] = field(default_factory=list)

    @property
    def cpu_nodes(self) -> int:
        return least_cpu_nodes(self.cpu_pool)

    def lines(self) -> list[CostLine | None]:
        settings = self.ctx.settings
        return [
            self.accelerator_line(),
            *(self.autopilot_lines() if self.ctx.autopilot else (self.cpu_line(),)),
            self.flat("control plane", "cluster", "without the monthly credit of one zonal cluster")
            if settings.cluster.existing is None
            else None,
            self.load_balancer_line(),
            self.addresses_line(),
            self.flat("NAT", "nat-gateway", "the most a gateway costs; without processed data")
            if settings.network.existing is None and settings.cluster.private_nodes
            else None,
            self.disks_line(),
            self.monitoring_line() if settings.monitoring.enabled else None,
        ]

    def accelerator_line(self) -> CostLine:
        running = self.accelerators(None)
        nodes: Counter[str] = Counter()
        for pool, busy in self.pools:
            nodes[pool.machine_type] += busy
        parts = [f"{busy} x {machine}" for machine, busy in nodes.items()]
        idle = sum(low for _, low in self.fewest)
        prices = [self.node(pool, billed(pool.provisioning)) for pool, _ in self.pools]
        bought = " and ".join(dict.fromkeys(pool.provisioning for pool, _ in self.pools))
        dates = [str(price.date) for price in prices if price is not None]
        return CostLine(
            name=ACCELERATORS,
            running=running,
            idle=self._sum([(self._hourly(pool, billed(pool.provisioning)), low) for pool, low in self.fewest]),
            paused=0.0,
            most=self._sum([(self._highest_hourly(pool), pool.max_nodes) for pool, _ in self.pools]),
            note=f"{' and '.join(parts)}, {bought}"
            + (f"; {idle} when idle" if idle != sum(nodes.values()) else "")
            + (f"; price of {min(dates)}" if len(dates) == len(prices) else "; no price known"),
        )

    def accelerators(self, way: Provisioning | None) -> float | None:
        """All replicas' nodes, bought in one way, or each as its pool is."""
        return self._sum([(self._hourly(pool, way or billed(pool.provisioning)), busy) for pool, busy in self.pools])

    def node(self, pool: NodePoolPlan, way: Provisioning) -> Price | None:
        """One accelerator node of a pool."""
        machine = self.ctx.catalog.machines.get(pool.machine_type)
        if machine is None:
            return None
        accelerator = self.ctx.catalog.accelerator_on(pool.machine_type, pool.guest_accelerator)
        attached = None
        if accelerator is not None and machine.is_attachable:
            attached = (accelerator.name, pool.accelerators_per_node)
        return self.prices.machine(pool.machine_type, self.ctx.region, way, attached=attached)

    def cpu_line(self) -> CostLine:
        pool = self.cpu_pool
        price = self.prices.machine(pool.machine_type, self.ctx.region)
        hourly = None if price is None else self._hourly_price(price) * self.cpu_nodes
        line = self._constant("CPU nodes", hourly, f"{self.cpu_nodes} x {pool.machine_type}")
        most = None if price is None else round(price.hourly * max(self.cpu_nodes, pool.max_nodes), 4)
        return replace(line, most=most)

    def autopilot_lines(self) -> tuple[CostLine, CostLine]:
        """What Autopilot bills in place of CPU nodes, and on top of accelerator nodes."""
        premium = self._item("autopilot-premium")
        most = sum(pool.max_nodes for pool, _ in self.pools)

        def of(nodes: int) -> float | None:
            return None if premium is None else round(premium * nodes, 4)

        return (
            CostLine(
                name="Autopilot premium",
                running=of(sum(n for _, n in self.pools)),
                idle=of(sum(low for _, low in self.fewest)),
                paused=0.0,
                most=of(most),
                note="on top of each accelerator node; llm-d:prices.items.autopilot-premium sets it for one node",
            ),
            self.flat(
                "pods without accelerators",
                "autopilot-pods",
                "billed by their requests; llm-d:prices.items.autopilot-pods sets it for all together",
            ),
        )

    def load_balancer_line(self) -> CostLine:
        rules = 1 + (len(self.ctx.settings.models) if self.ctx.settings.gateway.direct_load_balancer else 0)
        further = max(0, rules - _RULES_TOGETHER)
        hourly = self._item("forwarding-rules-first-five")
        if further and hourly is not None:
            further_price = self._item("forwarding-rule-further")
            hourly = None if further_price is None else hourly + further * further_price
        return self._constant("load balancer", hourly, f"{count(rules, 'forwarding rule')}; without processed data")

    def addresses_line(self) -> CostLine:
        """The gateway's, and those of nodes that are reached from outside."""
        gateway = self._item("address-of-load-balancer")
        if self.ctx.settings.cluster.private_nodes or self.ctx.settings.cluster.existing is not None:
            return self._constant("addresses", gateway, "the load balancer's, which costs nothing while it is used")
        price, cpu = self._item("static-address"), self.cpu_nodes
        busy, low = sum(n for _, n in self.pools), sum(n for _, n in self.fewest)

        def of(nodes: int) -> float | None:
            return None if price is None or gateway is None else round(gateway + price * (cpu + nodes), 4)

        note = "the load balancer's, and one for each node"
        most = of(sum(pool.max_nodes for pool, _ in self.pools) + self.cpu_pool.max_nodes - cpu)
        return CostLine(name="addresses", running=of(busy), idle=of(low), paused=of(0), most=most, note=note)

    def disks_line(self) -> CostLine:
        autopilot = self.ctx.autopilot
        # The requests of pods without accelerators include their storage on Autopilot.
        cpu = 0.0 if autopilot else self._disk(self.cpu_pool)
        types = sorted(
            {*(() if autopilot else (self.cpu_pool.disk_type,)), *(pool.disk_type for pool, _ in self.pools)}
        )

        def of(pools: Sequence[tuple[NodePoolPlan, int]]) -> float | None:
            return self._sum([(cpu, self.cpu_nodes), *((self._disk(pool), n) for pool, n in pools)])

        note = f"{' and '.join(types)}, at the prices of us-central1"
        parts = [(cpu, max(self.cpu_nodes, self.cpu_pool.max_nodes))]
        parts += [(self._disk(pool), pool.max_nodes) for pool, _ in self.pools]
        return CostLine(
            name="boot disks",
            running=of(self.pools),
            idle=of(self.fewest),
            paused=of([]),
            most=self._sum(parts),
            note=note,
        )

    def monitoring_line(self) -> CostLine:
        """Samples of Managed Service for Prometheus: series of each scraped pod, once an interval."""
        price, series = self._item("metrics-samples"), load_engine().metrics.series
        scrapes = 3600 / self.ctx.settings.monitoring.interval_seconds
        servers, low = _servers(self.ctx), _servers(self.ctx, fewest=True)

        def of(servers: int) -> float | None:
            samples = (servers * series["server"] + self.pickers * series["picker"]) * scrapes
            return None if price is None else round(samples / 1e6 * price, 4)

        note = f"metric samples: about {series['server']} series a model server, {series['picker']} a picker"
        # A larger pool runs no further servers.
        return CostLine(name="monitoring", running=of(servers), idle=of(low), paused=of(0), most=of(servers), note=note)

    def flat(self, name: str, item: str, note: str) -> CostLine:
        return self._constant(name, self._item(item), note)

    def _constant(self, name: str, hourly: float | None, note: str) -> CostLine:
        rounded = None if hourly is None else round(hourly, 4)
        return CostLine(name=name, running=rounded, idle=rounded, paused=rounded, most=rounded, note=note)

    def _item(self, name: str) -> float | None:
        item = self.prices.item(name)
        if item is None or item.usd is None:
            return None
        self.dates.append(item.date)
        return item.usd

    def _disk(self, pool: NodePoolPlan) -> float | None:
        monthly = self._item(pool.disk_type)
        return None if monthly is None else monthly * pool.disk_gib / HOURS_A_MONTH

    def _hourly(self, pool: NodePoolPlan, way: Provisioning) -> float | None:
        price = self.node(pool, way)
        if price is None:
            return None
        return self._hourly_price(price) if way == billed(pool.provisioning) else price.hourly

    def _highest_hourly(self, pool: NodePoolPlan) -> float | None:
        """A node at the highest price that it can have: that of the dearest choice of a compute class."""
        if pool.compute_class is None:
            return self._hourly(pool, billed(pool.provisioning))
        prices = [self._choice_hourly(pool, choice) for choice in pool.compute_class.choices]
        priced = [price for price in prices if price is not None]
        return max(priced) if priced and len(priced) == len(prices) else None

    def _choice_hourly(self, pool: NodePoolPlan, choice: NodeChoicePlan) -> float | None:
        node = replace(pool, machine_type=choice.machine_type, accelerators_per_node=choice.accelerators)
        price = self.node(node, choice.provisioning)
        return None if price is None else price.hourly

    def choices(self, lines: Sequence[CostLine]) -> tuple[ChoiceCost, ...]:
        """The stack with all accelerator nodes from one choice of its compute class, in the order of the choices.

        Stages have classes of their own with the same choices. A larger node is counted as one node for another.
        """
        classes = [pool.compute_class for pool, _ in self.pools if pool.compute_class is not None]
        if not classes or len(classes) != len(self.pools):
            return ()
        costs = []
        for number, choice in enumerate(classes[0].choices):
            nodes = [
                (self._choice_hourly(pool, own.choices[number]), busy)
                for (pool, busy), own in zip(self.pools, classes, strict=True)
            ]
            accelerators = self._sum(nodes)
            parts = [(line.name, accelerators if line.name == ACCELERATORS else line.running) for line in lines]
            costs.append(
                ChoiceCost(machine_type=choice.machine_type, provisioning=choice.provisioning, total=total(parts))
            )
        return tuple(costs)

    def _hourly_price(self, price: Price) -> float:
        self.dates.append(price.date)
        return price.hourly

    @staticmethod
    def _sum(parts: Sequence[tuple[float | None, int]]) -> float | None:
        """Sum of price times count. None if a price with a positive count is unknown."""
        terms = [(usd, times) for usd, times in parts if times]
        if any(usd is None for usd, _ in terms):
            return None
        return round(sum(usd * times for usd, times in terms if usd is not None), 4)


def _alternative(bill: _Bill, lines: Sequence[CostLine], way: Provisioning, chosen: bool) -> Alternative:
    accelerators = bill.accelerators(way)
    parts = [(line.name, accelerators if line.name == ACCELERATORS else line.running) for line in lines]
    return Alternative(provisioning=way, chosen=chosen, accelerators=accelerators, total=total(parts))


def _unit_cost(running: Total, capacities: Sequence[CapacityPlan | None]) -> UnitCost | None:
    """Cost over what is served at the load of `capacities`, all models together."""
    served = [capacity.at_load for capacity in capacities if capacity is not None and capacity.at_load is not None]
    if len(served) < len(capacities) or not served:
        return None
    known_capacities = [capacity for capacity in capacities if capacity is not None]
    requests = sum(speed.requests_per_second for speed in served)
    tokens = sum(
        speed.requests_per_second * (capacity.prompt_tokens + capacity.output_tokens)
        for speed, capacity in zip(served, known_capacities, strict=True)
    )
    answers = sum(speed.output_tokens_per_second for speed in served)
    if requests <= 0:
        return None

    def for_a_million(rate: float) -> Total:
        return Total(round(running.usd / (rate * 3600) * 1e6, 2), running.unknown)

    return UnitCost(
        requests_per_second=requests,
        basis="; ".join(dict.fromkeys(capacity.basis for capacity in known_capacities)),
        requests=for_a_million(requests),
        tokens=for_a_million(tokens),
        output_tokens=for_a_million(answers),
    )
