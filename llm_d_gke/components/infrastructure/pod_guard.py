"""The ValidatingAdmissionPolicy that holds pods to Pod Security `restricted` in a namespace of a lower level."""

from __future__ import annotations

import pulumi
from pulumi_kubernetes.admissionregistration import v1 as admission
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs

from llm_d_gke.components.instance import named
from llm_d_gke.components.metadata import metadata
from llm_d_gke.components.options import after
from llm_d_gke.planning.plan.platform import AdmissionRulePlan, PodGuardPlan


def pod_guard(plan: PodGuardPlan, opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Create the policy and its binding to the namespace."""
    policy = admission.ValidatingAdmissionPolicy(
        named("pod-guard", opts),
        metadata=metadata(plan.name),
        spec=admission.ValidatingAdmissionPolicySpecArgs(
            failure_policy="Fail",
            match_constraints=admission.MatchResourcesArgs(
                namespace_selector=_namespace(plan),
                # What the rules read of a pod does not change after its creation, but for containers added to debug.
                resource_rules=[_rule("CREATE", "pods"), _rule("UPDATE", "pods/ephemeralcontainers")],
            ),
            variables=[
                admission.VariableArgs(name=name, expression=expression) for name, expression in plan.variables.items()
            ],
            validations=[_validation(rule) for rule in plan.rules],
        ),
        opts=opts,
    )
    binding = admission.ValidatingAdmissionPolicyBinding(
        named("pod-guard", opts),
        metadata=metadata(plan.name),
        spec=admission.ValidatingAdmissionPolicyBindingSpecArgs(
            policy_name=plan.name,
            validation_actions=["Deny"],
            match_resources=admission.MatchResourcesArgs(namespace_selector=_namespace(plan)),
        ),
        opts=after(opts, policy),
    )
    return [policy, binding]


def _rule(operation: str, resource: str) -> admission.NamedRuleWithOperationsArgs:
    return admission.NamedRuleWithOperationsArgs(
        api_groups=[""], api_versions=["v1"], operations=[operation], resources=[resource]
    )


def _namespace(plan: PodGuardPlan) -> LabelSelectorArgs:
    return LabelSelectorArgs(match_labels={"kubernetes.io/metadata.name": plan.namespace})


def _validation(rule: AdmissionRulePlan) -> admission.ValidationArgs:
    return admission.ValidationArgs(
        expression=rule.expression,
        message=f"breaks {rule.rule} of Pod Security restricted, and only the engines of this stack may do so",
        reason="Forbidden",
    )
