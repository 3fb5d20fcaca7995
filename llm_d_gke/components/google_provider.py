"""The provider for a stack's resources in Google Cloud, and the stack that consists of it alone."""

from __future__ import annotations

import pulumi
import pulumi_gcp as gcp

from llm_d_gke.components.instance import Instance, named
from llm_d_gke.planning.plan.stack import StackPlan

STACK_TYPE = "llm-d:stack:InferenceStack"

# Set to `provider`, the program registers the component and this provider, and nothing else.
IMPORT_VARIABLE = "LLM_D_IMPORT"


def google_provider(plan: StackPlan, parent: pulumi.ComponentResource) -> gcp.Provider:
    return gcp.Provider(
        named("gcp", parent),
        project=plan.project,
        region=plan.region,
        default_labels=dict(plan.labels),
        opts=pulumi.ResourceOptions(parent=parent),
    )


class ImportParent(pulumi.ComponentResource):
    """Registers an `InferenceStack` with its provider, under which `pulumi import` puts what exists.

    The whole program cannot do that: its Kubernetes provider needs the cluster, and Pulumi registers providers even
    where `--target` does not name them. Without `--target` an `up` would delete whatever else the state has.
    """

    def __init__(self, plan: StackPlan) -> None:
        super().__init__(STACK_TYPE, plan.stack)
        self.instance = Instance(prefix="")
        google_provider(plan, self)
        self.register_outputs({})
