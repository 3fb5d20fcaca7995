"""The CRDs of the inference extension, for clusters whose version does not include them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.components.instance import Component, named
from llm_d_gke.planning.plan.platform import InferenceCrdsPlan

DEFINITION = Path(__file__).parents[1] / "custom_resources" / "inference_pool_crd.yaml"
OBJECTIVE_DEFINITION = Path(__file__).parents[1] / "custom_resources" / "inference_objective_crd.yaml"
LEGACY_DEFINITION = Path(__file__).parents[1] / "custom_resources" / "legacy_inference_pool_crd.yaml"


class InferenceCrds(Component):
    """Installs the planned CRDs: none for most stacks, because GKE installs the current one.

    They are kept on destroy and after a cluster upgrade, because deleting a CRD deletes all objects of its kind.
    """

    resources: list[pulumi.Resource]

    def __init__(
        self,
        plan: InferenceCrdsPlan,
        adopt: Callable[[], kubernetes.Provider],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:inference:InferenceCrds", "inference-crds", opts)
        self.resources = []
        # The CRD may remain from an earlier stack, or from this one before it was destroyed.
        self._adopting = adopt() if plan.install or plan.legacy or plan.objectives else None
        if plan.install:
            self.resources.append(self._definition("inference-pool", DEFINITION))
        if plan.legacy:
            self.resources.append(self._definition("legacy-inference-pool", LEGACY_DEFINITION))
        if plan.objectives:
            self.resources.append(self._definition("inference-objective", OBJECTIVE_DEFINITION))
        self.register_outputs({})

    def _definition(self, name: str, file: Path) -> pulumi.Resource:
        definition = read_yaml(file)
        return kubernetes.apiextensions.v1.CustomResourceDefinition(
            named(name, self),
            metadata=definition["metadata"],
            spec=definition["spec"],
            opts=pulumi.ResourceOptions(parent=self, provider=self._adopting, retain_on_delete=True),
        )
