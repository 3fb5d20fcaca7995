"""The InferencePool CRD, where the cluster's version does not bring it."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes
import yaml

from planning.plan import InferenceCrdsPlan

DEFINITION = Path(__file__).parent / "kinds" / "inference_pool_crd.yaml"


class InferenceCrds(pulumi.ComponentResource):
    """Installs the CRD, or nothing on GKE versions that install it themselves.

    Kept on destroy, and when an upgraded cluster brings the CRD itself: deleting one deletes every object of its kind.
    """

    resources: list[pulumi.Resource]

    def __init__(self, plan: InferenceCrdsPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-d:inference:InferenceCrds", "inference-crds", None, opts)
        self.resources = []
        if plan.install:
            definition = yaml.safe_load(DEFINITION.read_text(encoding="utf-8"))
            self.resources.append(
                kubernetes.apiextensions.v1.CustomResourceDefinition(
                    "inference-pool",
                    metadata=definition["metadata"],
                    spec=definition["spec"],
                    opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
                )
            )
        self.register_outputs({})
