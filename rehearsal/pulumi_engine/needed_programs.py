"""The programs that a stack runs on this machine, known from its plan before anything is created."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from planning.plan.pods import ContainerPlan
from planning.plan.stack import StackPlan
from planning.platform.helm_releases import KSERVE, LEADER_WORKER_SET
from rehearsal.control_plane.parts import PARTS
from rehearsal.node_agent.images_to_binaries import Program, program
from rehearsal.toolchain.targets import TARGETS

# Controllers are pods of charts, whose images no plan holds.
_CONTROLLERS: Final = {LEADER_WORKER_SET: Program.GROUPS, KSERVE: Program.SERVICES}


def needed_programs(plan: StackPlan) -> list[str]:
    """Names of targets of the toolchain, in the order in which they are built."""
    pods = {program(container.image, container.command).value for container in _containers(plan)}
    controllers = {_CONTROLLERS[chart.name].value for chart in plan.charts if chart.name in _CONTROLLERS}
    return [name for name in TARGETS if name in {"pulumi", *PARTS, *pods, *controllers}]


def _containers(value: object) -> Iterator[ContainerPlan]:
    """Yields every planned container at any depth, sidecars included."""
    if isinstance(value, ContainerPlan):
        yield value
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _containers(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _containers(item)
    elif isinstance(value, Mapping):
        yield from _containers(list(value.values()))
