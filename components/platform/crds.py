"""The InferencePool CRDs, where the cluster's version does not bring them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from planning.plan.platform import InferenceCrdsPlan

DEFINITION = Path(__file__).parents[1] / "custom_resources" / "inference_pool_crd.yaml"
LEGACY_DEFINITION = Path(__file__).parents[1] / "custom_resources" / "legacy_inference_pool_crd.yaml"


class InferenceCrds(pulumi.ComponentResource):
    """Installs the CRDs the plan asks for: none for most stacks, as GKE installs the current one itself.

    Kept on destroy, and when an upgraded cluster brings a CRD itself: deleting one deletes every object of its kind.
    """

    resources: list[pulumi.Resource]

    def __init__(
        self,
        plan: InferenceCrdsPlan,
        adopt: Callable[[], kubernetes.Provider],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("llm-d:inference:InferenceCrds", "inference-crds", None, opts)
        self.resources = []
        # An earlier stack, or this one before its last destroy, may have left the definition behind.
        self._adopting = adopt() if plan.install or plan.legacy else None
        if plan.install:
            self.resources.append(self._definition("inference-pool", DEFINITION))
        if plan.legacy:
            self.resources.append(self._definition("legacy-inference-pool", LEGACY_DEFINITION))
        self.register_outputs({})

    def _definition(self, name: str, file: Path) -> pulumi.Resource:
        definition = yaml.safe_load(file.read_text(encoding="utf-8"))
        return kubernetes.apiextensions.v1.CustomResourceDefinition(
            name,
            metadata=definition["metadata"],
            spec=definition["spec"],
            opts=pulumi.ResourceOptions(parent=self, provider=self._adopting, retain_on_delete=True),
        )
