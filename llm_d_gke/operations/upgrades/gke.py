"""An upgrade of a stack on GKE, with the Pulumi and the credentials of the user."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from llm_d_gke import catalog
from llm_d_gke.operations.live_stack.gke import gke_stack
from llm_d_gke.operations.pulumi_cli import PulumiError, run_pulumi
from llm_d_gke.operations.upgrades.run import StepError, failures, free, needs_order, targets_of
from llm_d_gke.planning import RefusedError
from llm_d_gke.planning.deletions import refuse_losses, steps_of_preview
from llm_d_gke.planning.upgrades.step import Step, UpgradePlan
from llm_d_gke.resource_graph.stack_program import record_stack
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile.assumptions import load_assumed
from llm_d_gke.stackfile.reader import unquoted

# Google's load balancers learn their first backends in about three minutes.
_PATIENCE = 180.0
# The message of updates that lead back: the history alone does not tell a rollback from an upgrade.
ROLLBACK = "llmd rollback"


class OnGke:
    """Updates by `pulumi up --target`. See `run.Updater`."""

    def __init__(self, stack: str) -> None:
        self._stack = stack
        self._message: list[str] = []

    def alone(self) -> AbstractContextManager[None]:
        """Pulumi locks each update; a state in a bucket has no lock for several."""
        return nullcontext()

    def update(self, settings: Mapping[str, str], step: Step) -> None:
        config = load_assumed(self._stack, settings)
        targets: list[str] = []
        order: list[str] = []
        if step.parts:
            graph, state = record_stack(self._stack, config), self._state()
            targets = targets_of(step, graph, {resource["urn"] for resource in state})
            order = ["--parallel", "1"] if needs_order(graph, state) else []
        preview = self._pulumi(["preview", "--json", *_arguments(settings, targets)])
        try:
            refuse_losses(
                steps_of_preview(json.loads(preview)), catalog.load(), StackSettings.model_validate(config.settings())
            )
        except RefusedError as refused:
            raise StepError(str(refused)) from refused
        arguments = [*self._message, *order, *_arguments(settings, targets)]
        self._pulumi(["up", "--yes", "--skip-preview", *arguments], output=True)

    def free_presets(self, settings: Mapping[str, str], step: Step) -> None:
        with gke_stack(self._stack, settings) as live:
            free(live, step)

    def verify(self, settings: Mapping[str, str], *, whole: bool) -> Sequence[str]:
        with gke_stack(self._stack, settings) as live:
            return failures(live, patience=_PATIENCE, whole=whole)

    def applied_release(self) -> str | None:
        return None

    def record(self, plan: UpgradePlan) -> None:
        """Pulumi keeps the history, and in it which updates are of a rollback."""
        self._message = ["--message", ROLLBACK] if plan.back else []

    def last_upgrade(self, current: str) -> tuple[str, str] | None:
        history = json.loads(self._pulumi(["stack", "history", "--json", "--page-size", "50"]))
        other = previous_release(history, current)
        if other is None:
            return None
        latest = itertools.takewhile(lambda update: _release(update) in (None, current), history)
        return (current, other) if any(update.get("message") == ROLLBACK for update in latest) else (other, current)

    def _state(self) -> list[dict[str, Any]]:
        deployment: dict[str, Any] = json.loads(self._pulumi(["stack", "export"]))["deployment"]
        return list(deployment.get("resources") or ())

    def _pulumi(self, arguments: Sequence[str], *, output: bool = False) -> str:
        try:
            return run_pulumi(self._stack, arguments, output=output)
        except PulumiError as error:
            raise StepError(str(error)) from error


def _arguments(settings: Mapping[str, str], targets: Sequence[str]) -> list[str]:
    changes = [word for path, value in settings.items() for word in ("--config", f"{path}={unquoted(value)}")]
    return [*(["--config-path", *changes] if changes else []), *(word for urn in targets for word in ("--target", urn))]


def previous_release(history: Sequence[Mapping[str, Any]], current: str) -> str | None:
    """The release of the latest successful update, newest first, that had another one than `current`."""
    for update in history:
        stated = _release(update)
        if update.get("kind") == "update" and update.get("result") == "succeeded" and stated not in (None, current):
            return str(stated)
    return None


def _release(update: Mapping[str, Any]) -> str | None:
    release: str | None = ((update.get("config") or {}).get("llm-d:release") or {}).get("value")
    return release
