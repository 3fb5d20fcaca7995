"""The MutatingAdmissionPolicy that makes KServe's Deployments start new pods before they end old ones."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.admissionregistration import v1 as admission
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, LabelSelectorRequirementArgs

from llm_d_gke.components.instance import named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import after
from llm_d_gke.planning.plan.platform import RolloutPolicyPlan


def rollout_policy(plan: RolloutPolicyPlan, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Create the policy and its binding to the Deployments of the stack's services."""
    services = _services(plan)
    policy = admission.MutatingAdmissionPolicy(
        named("rollouts", opts),
        metadata=metadata(plan.name),
        spec=admission.MutatingAdmissionPolicySpecArgs(
            # Without it KServe could write no Deployment; with it an update loses a few requests.
            failure_policy="Ignore",
            reinvocation_policy="Never",
            match_constraints=services,
            mutations=[
                admission.MutationArgs(
                    patch_type="JSONPatch", json_patch=admission.JSONPatchArgs(expression=expression)
                )
                for expression in plan.patches
            ],
        ),
        opts=opts,
    )
    binding = admission.MutatingAdmissionPolicyBinding(
        named("rollouts", opts),
        metadata=metadata(plan.name),
        spec=admission.MutatingAdmissionPolicyBindingSpecArgs(policy_name=plan.name, match_resources=services),
        opts=after(opts, policy),
    )
    return [policy, binding]


def _services(plan: RolloutPolicyPlan) -> admission.MatchResourcesArgs:
    rule = admission.NamedRuleWithOperationsArgs(
        api_groups=["apps"], api_versions=["v1"], operations=["CREATE", "UPDATE"], resources=["deployments"]
    )
    return admission.MatchResourcesArgs(
        namespace_selector=LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": plan.namespace}),
        object_selector=LabelSelectorArgs(
            match_labels=dict(plan.labels),
            match_expressions=[
                LabelSelectorRequirementArgs(key=key, operator="In", values=list(values))
                for key, values in plan.in_labels.items()
            ],
        ),
        resource_rules=[rule],
    )
