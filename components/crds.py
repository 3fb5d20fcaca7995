"""The InferencePool CRD, where the cluster's version does not bring it."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as kubernetes

from planning.plan import InferenceCrdsPlan


class InferenceCrds(pulumi.ComponentResource):
    """Installs the CRD from its published release, or nothing on GKE versions that install it themselves.

    Kept on destroy: deleting a CRD deletes every object of its kind, other people's too.
    """

    resources: list[pulumi.Resource]

    def __init__(self, plan: InferenceCrdsPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-d:inference:InferenceCrds", "inference-crds", None, opts)
        self.resources = []
        if plan.url is not None:
            self.resources.append(
                kubernetes.yaml.v2.ConfigFile(
                    "inference-pool", file=plan.url, opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True)
                )
            )
        self.register_outputs({})
