"""An upgrade of the stack that is rehearsed on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError

from llm_d_gke.cli.text import print_step
from llm_d_gke.operations.live_stack.rehearsed import rehearsed_stack
from llm_d_gke.operations.upgrades.run import StepError, failures, free, needs_order, targets_of
from llm_d_gke.planning import plan_config
from llm_d_gke.planning.upgrades.step import Step, UpgradePlan
from llm_d_gke.rehearsal.commands import resume_interrupted
from llm_d_gke.rehearsal.engine_choice import engine_of
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.pulumi_engine.changes import save_settings
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import Engine, engine
from llm_d_gke.rehearsal.pulumi_engine.engine_simulation import write_engine_simulation
from llm_d_gke.rehearsal.pulumi_engine.interruption import defer_interrupts
from llm_d_gke.rehearsal.pulumi_engine.needed_programs import needed_programs
from llm_d_gke.rehearsal.pulumi_engine.one_command import only_command
from llm_d_gke.rehearsal.terminal.failures import explain
from llm_d_gke.rehearsal.terminal.progress import each_step_once, show
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.rehearsal.toolchain.pickers import obtain
from llm_d_gke.resource_graph import Graph
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.stackfile import NAMESPACE, PROJECT_ROOT, StackConfig

# The rehearsed load balancer learns a backend in a second or two. A picker that KServe replaces after a change of its
# controller, while requests pass without one, takes longer.
_PATIENCE = 60.0


class Rehearsed:
    """Updates by the real engine, with targets. See `run.Updater`."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._paths = StackPaths(stack)

    def configuration(self, settings: Mapping[str, str]) -> StackConfig:
        return load(PROJECT_ROOT, self._stack, settings, available=lambda picker: obtain(picker, print_step))

    def alone(self) -> AbstractContextManager[None]:
        return only_command(self._paths)

    def update(self, settings: Mapping[str, str], step: Step) -> None:
        paths, config = self._paths, self.configuration(settings)
        plan = plan_config(self._stack, config)
        binaries(needed_programs(plan, engine_of(paths)), print_step)
        with defer_interrupts(), engine(paths, config, print_step) as pulumi:
            resume_interrupted(pulumi)
            write_engine_simulation(paths, config)
            targets, parallel = (
                _reached(pulumi, step, record_stack(self._stack, config)) if step.parts else (None, None)
            )
            try:
                pulumi.stack.up(
                    target=targets,
                    parallel=parallel,
                    on_output=each_step_once(show),
                    on_error=show,
                    suppress_outputs=True,
                )
            except CommandError as error:
                raise StepError(explain(error) or str(error)) from error
        if not step.parts:
            save_settings(paths, config)

    def free_presets(self, settings: Mapping[str, str], step: Step) -> None:
        with rehearsed_stack(self._stack, settings) as live:
            free(live, step)

    def verify(self, settings: Mapping[str, str], *, whole: bool) -> Sequence[str]:
        with rehearsed_stack(self._stack, settings) as live:
            return failures(live, patience=_PATIENCE, whole=whole)

    def applied_release(self) -> str | None:
        """The release of the last `up` on this machine. None before the first."""
        file = self._paths.settings
        return json.loads(file.read_text(encoding="utf-8")).get(f"{NAMESPACE}:release") if file.exists() else None

    def record(self, plan: UpgradePlan) -> None:
        if plan.back:
            return
        releases = {"before": plan.before, "after": plan.after}
        self._record.write_text(json.dumps(releases), encoding="utf-8")

    def last_upgrade(self, current: str) -> tuple[str, str] | None:  # noqa: ARG002 - of the interface
        if not self._record.exists():
            return None
        record = json.loads(self._record.read_text(encoding="utf-8"))
        return record["before"], record["after"]

    @property
    def _record(self) -> Path:
        return self._paths.home / "upgrade.json"


def _reached(pulumi: Engine, step: Step, graph: Graph) -> tuple[list[str], int | None]:
    """The targets of a step, and how many operations may run at the same time."""
    deployment: Mapping[str, Any] = pulumi.stack.export_stack().deployment or {}
    state = deployment.get("resources") or ()
    targets = targets_of(step, graph, {resource["urn"] for resource in state})
    return targets, 1 if needs_order(graph, state) else None
