"""The programs that a stack runs on this machine, known from its plan before anything is created."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Set
from typing import Final

from llm_d_gke.planning.plan.pods import ContainerPlan
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.platform.helm_releases import KEDA, KSERVE, LEADER_WORKER_SET
from llm_d_gke.rehearsal.control_plane.parts import PARTS
from llm_d_gke.rehearsal.engine_choice import EngineChoice
from llm_d_gke.rehearsal.node_agent.images_to_binaries import KEDA as KEDA_PROGRAMS
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program, program, target_of
from llm_d_gke.rehearsal.toolchain.targets import TARGETS

# Controllers are pods of charts, whose images no plan holds.
_CONTROLLERS: Final[Mapping[str, tuple[Program, ...]]] = {
    LEADER_WORKER_SET: (Program.GROUPS,),
    KSERVE: (Program.SERVICES,),
    KEDA: KEDA_PROGRAMS,
}


def is_over(difference: str, plan: StackPlan, images: Set[str]) -> bool:
    """Whether a sentence is about a chart that the stack no longer has, its controller, or an image of no pod here."""
    names, charts = {chart.name for chart in plan.charts}, tuple(chart.chart for chart in plan.charts)
    ended = [which for name, programs in _CONTROLLERS.items() if name not in names for which in programs]
    chart, image = re.search(r"\bthe chart (\S+) ", difference), re.search(r"\bfor the image (\S+):", difference)
    return (
        difference.startswith(tuple(f"{which.value} runs " for which in ended))
        or (chart is not None and not chart[1].endswith(charts))
        or (image is not None and image[1] not in images)
    )


def needed_programs(plan: StackPlan, engine: EngineChoice = EngineChoice.SIMULATOR) -> list[str]:
    """Names of targets of the toolchain, in the order in which they are built.

    Real vLLM is no target: `vllm_cpu.prepare` installs it.
    """
    images = {(program(container.image, container.command), container.image) for container in _containers(plan)}
    # The version of a chart is that of its controller, whose tag has a v.
    images |= {
        (which, f"controller:v{chart.version.removeprefix('v')}")
        for chart in plan.charts
        for which in _CONTROLLERS.get(chart.name, ())
    }
    # Envoy is a package of Python, and a container without a program has no process.
    targets = {target_of(which, image) for which, image in images if which.value in TARGETS}
    names = {"pulumi", *PARTS, *(target.name for target in targets if target is not None)}
    if Program.AUTOSCALER in {which for which, _ in images}:
        names.add("prometheus")
    if engine is EngineChoice.VLLM:
        names.discard(Program.ENGINE.value)
    return [name for name in TARGETS if name in names]


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
