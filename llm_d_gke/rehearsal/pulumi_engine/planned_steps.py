"""The steps of a preview by the engine, and whether they would delete data."""

from __future__ import annotations

from pulumi.automation.events import EngineEvent, StepEventMetadata

from llm_d_gke import catalog
from llm_d_gke.planning.deletions import PlannedStep, refuse_losses
from llm_d_gke.planning.findings import Finding
from llm_d_gke.settings import StackSettings
from llm_d_gke.stackfile import StackConfig


class PlannedSteps:
    """Collects the steps of a preview: `stack.preview(on_event=steps.take)`."""

    def __init__(self) -> None:
        self._steps: list[PlannedStep] = []

    def take(self, event: EngineEvent) -> None:
        if event.resource_pre_event is not None:
            self._steps.append(_step(event.resource_pre_event.metadata))

    def refuse_losses(self, configuration: StackConfig) -> list[Finding]:
        """The acknowledged losses. Raises RefusedError if there is one that the stack file does not acknowledge."""
        return refuse_losses(self._steps, catalog.load(), StackSettings.model_validate(configuration.settings()))


def _step(metadata: StepEventMetadata) -> PlannedStep:
    old = metadata.old
    return PlannedStep(
        operation=str(metadata.op.value),
        urn=metadata.urn,
        retained=bool(old is not None and old.retain_on_delete),
        inputs=(old.inputs if old is not None else None) or {},
    )
