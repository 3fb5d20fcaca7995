"""What a stack costs by the hour, from the catalogue's dated prices. An unknown price stays unknown."""

from __future__ import annotations

from planning.plan import CostLine, CostPlan, NodePoolPlan
from planning.site import Site

HOURS_A_MONTH = 730


def plan_cost(site: Site, cpu_pool: NodePoolPlan, accelerator_pool: NodePoolPlan, busy_nodes: int) -> CostPlan:
    """Idle: pools at their minimum. Running: `busy_nodes` accelerator nodes serve."""
    prices, region = site.catalog.prices, site.region
    provisioning = site.settings.accelerator.provisioning
    kind = "flex-start" if provisioning == "queued" else provisioning
    attached = (site.accelerator.name, site.per_node) if site.machine.is_attachable else None
    accelerator = prices.machine(site.machine.name, region, kind, attached=attached)
    cpu = prices.machine(cpu_pool.machine_type, region, "on-demand")
    cpu_hourly = cpu.hourly * cpu_pool.min_nodes * max(1, len(cpu_pool.zones)) if cpu else None
    disk = prices.item("pd-balanced")
    disk_hourly = disk.usd / HOURS_A_MONTH if disk else None
    idle_nodes = accelerator_pool.min_nodes

    def disks(nodes: int) -> float | None:
        gib = cpu_pool.min_nodes * cpu_pool.disk_gib + nodes * accelerator_pool.disk_gib
        return round(gib * disk_hourly, 4) if disk_hourly is not None else None

    def flat(name: str, item: str, note: str) -> CostLine:
        price = prices.item(item)
        return CostLine(name=name, idle=price.usd if price else None, running=price.usd if price else None, note=note)

    hourly = accelerator.hourly if accelerator else None
    lines = [
        CostLine(
            name="accelerator nodes",
            idle=0.0 if idle_nodes == 0 else hourly and round(hourly * idle_nodes, 4),
            running=hourly and round(hourly * busy_nodes, 4),
            note=f"{site.machine.name}, {provisioning}: {idle_nodes} idle, {busy_nodes} running"
            + (f", {accelerator.date}" if accelerator else ", no price known"),
        ),
        CostLine(
            name="CPU nodes",
            idle=cpu_hourly,
            running=cpu_hourly,
            note=f"{cpu_pool.min_nodes} x {cpu_pool.machine_type}",
        ),
        CostLine(name="boot disks", idle=disks(idle_nodes), running=disks(busy_nodes), note="pd-balanced"),
        flat("load balancer", "forwarding-rules-first-five", "without processed data"),
    ]
    if site.settings.cluster.existing is None:
        lines.insert(0, flat("control plane", "cluster", "without the monthly credit of one zonal cluster"))
    if site.settings.network.existing is None and site.settings.cluster.private_nodes:
        lines.append(flat("NAT", "nat-gateway", "the most a gateway costs; without processed data"))
    return CostPlan(lines=tuple(lines), date=str(accelerator.date) if accelerator else "")
