"""The catalog as one frozen value, with the common look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .config_outline import Outline
from .pickers import Picker
from .prices import Prices
from .release import Release
from .schema import Accelerator, MachineType, Model, Source


@dataclass(frozen=True)
class Catalog:
    """Everything in the catalog, by name. Models are keyed by their exact Hub id."""

    accelerators: Mapping[str, Accelerator]
    machines: Mapping[str, MachineType]
    models: Mapping[str, Model]
    pickers: Mapping[str, Picker]
    prices: Prices
    sources: Mapping[str, Source]
    releases: Mapping[str, Release]
    # Outlines of a stack's own models, of those too whose memory is not computed, by id.
    outlines: Mapping[str, Outline] = field(default_factory=dict)
    # Chat templates of a stack's own, by their path in its file.
    chat_templates: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _fitting(self) -> dict[str, tuple[MachineType, ...]]:
        return {}

    def machines_for(self, accelerator: str) -> tuple[MachineType, ...]:
        """Machine types that carry an accelerator or take it attached, fewest accelerators and vCPUs first."""
        if accelerator not in self._fitting:
            fitting = [m for m in self.machines.values() if m.accelerator == accelerator or accelerator in m.attachable]
            fitting.sort(key=lambda m: (m.accelerator_count * m.accelerator_share, m.vcpus))
            self._fitting[accelerator] = tuple(fitting)
        return self._fitting[accelerator]

    def default_machine(self, accelerator: str) -> MachineType | None:
        """The machine type of a pool that names none."""
        fitting = self.machines_for(accelerator)
        # T4s go with n1-standard-4, as vLLM's start-up needs more than the smallest machine's memory.
        return next((machine for machine in fitting if machine.memory_gib >= 12), fitting[0] if fitting else None)

    def accelerator_on(self, machine_type: str, attached: str | None) -> Accelerator | None:
        """The accelerator of a node: built in, or attached and known by GKE's label value. None for CPU machines."""
        machine = self.machines[machine_type]
        if machine.accelerator is not None:
            return self.accelerators[machine.accelerator]
        fitting = (self.accelerators[name] for name in machine.attachable)
        return next((entry for entry in fitting if entry.node_label_value == attached), None)

    def find_model(self, model_id: str) -> Model | None:
        """A model by its Hub id; the Hub ignores case, so this does too."""
        exact = self.models.get(model_id)
        if exact is not None:
            return exact
        lowered = model_id.lower()
        return next((model for name, model in self.models.items() if name.lower() == lowered), None)
