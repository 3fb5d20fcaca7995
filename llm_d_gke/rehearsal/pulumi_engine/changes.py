"""The settings that differ from the last `up` with what each replaces, and the steps of a preview that delete data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict

from pulumi.automation.events import EngineEvent, StepEventMetadata
from pydantic import ValidationError

from llm_d_gke import catalog
from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.planning.deletions import PlannedStep, refuse_losses
from llm_d_gke.planning.findings import Finding, path_of
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.planning.surge_capacity import (
    check_autoscaler_end,
    check_stages_under_kserve,
    check_surge_capacity,
    deployed_servers_of,
    saved_deployed_servers,
)
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.leaves import Leaf, aligned_paths, leaves
from llm_d_gke.stackfile import StackConfig
from llm_d_gke.wording import wrapped

# Key of the saved settings that holds which model servers run.
_RUNNING = "running"
# A list of groups is a setting of its own only while it is empty, and a group while it is not set.
_EMPTY = ("[]", "{}", "(not set)")


def save_settings(paths: StackPaths, configuration: StackConfig) -> None:
    """Save the settings after an `up`, without secrets."""
    saved: dict[str, object] = {path_of(*leaf.path): leaf.display_text for leaf in _leaves(configuration)}
    # An invalid stack file says nothing about the running stack.
    with suppress(RefusedError):
        saved[_RUNNING] = asdict(
            deployed_servers_of(plan_config(paths.stack, configuration), _deployment(configuration))
        )
    paths.settings.write_text(json.dumps(saved, indent=1), encoding="utf-8")


def diff_settings(paths: StackPaths, configuration: StackConfig) -> Iterator[str]:
    """Yields a line for each setting that differs from the saved ones. Nothing before the first `up`.

    Of a new element or group those that have their defaults are left out, and what was empty of one that is gone.
    """
    if not paths.settings.exists():
        return
    saved = json.loads(paths.settings.read_text(encoding="utf-8"))
    saved.pop(_RUNNING, None)
    now = {path_of(*leaf.path): leaf for leaf in _leaves(configuration)}
    places = aligned_paths(saved, {path: leaf.display_text for path, leaf in now.items()})
    saved = {places[path]: text for path, text in saved.items()}
    for path, leaf in now.items():
        if saved[path] != leaf.display_text if path in saved else not leaf.is_default:
            replaced = f": replaces {', '.join(leaf.replaces)}" if leaf.replaces else ""
            yield f"{path}: {saved.get(path, '(none)')} -> {leaf.display_text}{replaced}"
    if now:
        removed = sorted(saved.keys() - now.keys())
        yield from (
            f"{path.removeprefix('-')}: {saved[path]} -> (none)" for path in removed if saved[path] not in _EMPTY
        )


def print_changes(paths: StackPaths, configuration: StackConfig) -> bool:
    """Print the settings that differ from the last `up`, each with what it replaces. Returns whether any does."""
    lines = list(diff_settings(paths, configuration))
    if lines:
        print("changed settings:", *(wrapped(f"  {line}") for line in lines), sep="\n", flush=True)
    return bool(lines)


def find_switch_problems(paths: StackPaths, configuration: StackConfig, plan: StackPlan) -> list[Finding]:
    """Reasons against changing the running model servers to those of the plan in one update."""
    if not paths.settings.exists():
        return []
    saved = json.loads(paths.settings.read_text(encoding="utf-8")).get(_RUNNING, {})
    before = saved_deployed_servers(saved)
    if before is None:
        return []
    return [
        *check_surge_capacity(before, plan, _deployment(configuration)),
        *check_autoscaler_end(before, plan),
        *check_stages_under_kserve(before, plan),
    ]


def _deployment(configuration: StackConfig) -> str:
    return StackSettings.model_validate(configuration.settings()).deployment


def _leaves(configuration: StackConfig) -> list[Leaf]:
    try:
        return list(leaves(StackSettings.model_validate(configuration.settings())))
    except ValidationError:
        # The engine reports what is wrong with them.
        return []


class PlannedSteps:
    """Collects the steps of a preview: `stack.preview(on_event=steps.take)`."""

    def __init__(self) -> None:
        self._steps: list[PlannedStep] = []

    def take(self, event: EngineEvent) -> None:
        if event.resource_pre_event is not None:
            self._steps.append(_step(event.resource_pre_event.metadata))

    def refuse_losses(self, configuration: StackConfig) -> list[Finding]:
        """See `planning.deletions.refuse_losses`."""
        return refuse_losses(self._steps, catalog.load(), StackSettings.model_validate(configuration.settings()))


def _step(metadata: StepEventMetadata) -> PlannedStep:
    old = metadata.old
    return PlannedStep(
        operation=str(metadata.op.value),
        urn=metadata.urn,
        retained=bool(old is not None and old.retain_on_delete),
        inputs=(old.inputs if old is not None else None) or {},
    )
