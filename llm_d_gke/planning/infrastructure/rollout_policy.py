"""How the Deployments of KServe change from old to new pods, where the cluster has policies for it.

KServe ends a picker before it starts the new one (strategy Recreate), and its Deployments have no `minReadySeconds`; no
field of a service changes either. A MutatingAdmissionPolicy does, stable since Kubernetes 1.36
(kubernetes/enhancements, 3962). KServe takes over what it sets: before each comparison it asks the API server for a dry
run of its update (kserve v0.17.0 to v0.20.0, `Update` in pkg/controller/v1alpha2/llmisvc/lifecycle_crud.go).
"""

from __future__ import annotations

from collections.abc import Sequence

from llm_d_gke.planning.gke_versions import has_mutating_policies
from llm_d_gke.planning.plan.platform import NamespacePlan, RolloutPolicyPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.serving.shutdown import LISTED_SECONDS, NOTICE_SECONDS

_COMPONENT = "app.kubernetes.io/component"
_NAME = "app.kubernetes.io/name"

# A new pod first, and the old one once the load balancer has seen the new one.
_SURGE = '{"type": dyn("RollingUpdate"), "rollingUpdate": dyn({"maxSurge": 1, "maxUnavailable": 0})}'


def plan_rollout_policy(
    namespace: NamespacePlan, models: Sequence[ModelPlan], version: str | None
) -> RolloutPolicyPlan | None:
    """The policy for the services of `models`. None without services, or where `version` is older or not known.

    Pickers that elect a leader keep their strategy: a new one is not ready before the old leader ends.
    """
    services = [model for model in models if model.inference_service is not None]
    if not services or not namespace.create or not has_mutating_policies(version):
        return None
    pickers = [model.picker for model in services if model.picker.replicas == 1]
    of_all = f'[JSONPatch{{op: "add", path: "/spec/minReadySeconds", value: {LISTED_SECONDS}}}]'
    picker_patches = [_picker_patches(pickers[0].selector[_COMPONENT], pickers[0].pod.container)] if pickers else []
    return RolloutPolicyPlan(
        name=f"{namespace.name}-rollouts",
        namespace=namespace.name,
        labels={key: value for key, value in services[0].picker.selector.items() if key not in (_COMPONENT, _NAME)},
        in_labels={_NAME: tuple(model.picker.selector[_NAME] for model in services)},
        patches=(of_all, *picker_patches),
    )


def _picker_patches(component: str, container: str) -> str:
    """Patches for pickers only: a rollout by surge, and a notice before the end in place of any hook of a preset."""
    position = f"string(object.spec.template.spec.containers.map(c, c.name).indexOf('{container}'))"
    hook = f'{{"preStop": {{"sleep": {{"seconds": {NOTICE_SECONDS}}}}}}}'
    return (
        f"object.metadata.?labels['{_COMPONENT}'].orValue('') == '{component}' ? ["
        f'JSONPatch{{op: "add", path: "/spec/strategy", value: {_SURGE}}}, '
        f'JSONPatch{{op: "add", path: "/spec/template/spec/containers/" + {position} + "/lifecycle", value: {hook}}}'
        "] : []"
    )
