"""A first step that lets requests pass while KServe replaces a picker: it ends the old one, then starts the new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.planning.platform.helm_releases import KSERVE, KSERVE_PRESETS
from llm_d_gke.planning.upgrades.servers import parts_of, passes_without_picker, starts_pickers_first
from llm_d_gke.planning.upgrades.step import Step

OPEN_PICKERS = "open-pickers"

_OPEN = {"llm-d:picker.failureMode": "open"}


def with_open_pickers(before: StackPlan, steps: Sequence[Step], release: str) -> tuple[Step, ...]:
    """The steps; from the first on in which KServe replaces a picker, with pools that pass requests without one.

    `release` is that of `before`. The last step of an upgrade closes them again. None are opened where servers stop, or
    where a new picker comes first.
    """
    closed = [
        model for model in before.models if _refuses_without_picker(model) and not starts_pickers_first(before, model)
    ]
    replacing = {f"controller-{KSERVE}", f"controller-{KSERVE_PRESETS}"}
    replacing |= {f"{kind}-{model.key}" for model in closed for kind in ("picker", "servers")}
    first = next((number for number, step in enumerate(steps) if step.name in replacing), None)
    if first is None or not closed or any(step.name.startswith("pause-") for step in steps):
        return tuple(steps)
    opened = Step(
        name=OPEN_PICKERS,
        title="requests pass without a picker",
        changes=("picker.failureMode open, until the last step",),
        method="the pools change, and no pod: while KServe replaces a picker, the load balancer chooses a server",
        back="an update with the settings before",
        parts=tuple(part for model in closed for part in parts_of(model)),
        settings={**_OPEN, "llm-d:release": release},
    )
    rest = (replace(step, settings={**_OPEN, **step.settings}) for step in steps[first:])
    return (*steps[:first], opened, *rest)


def _refuses_without_picker(model: ModelPlan) -> bool:
    runs = any(server.replicas for server in model.servers)
    closed = model.inference_service is not None and model.pool.failure_mode == "FailClose"
    return closed and runs and passes_without_picker(model)
