"""The instructions in the folder of an ejected stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llm_d_gke.operations.eject.google import CloudCommands
from llm_d_gke.operations.eject.steps import Step, variables, waits
from llm_d_gke.planning import StackPlan


def readme(plan: StackPlan, cloud: Sequence[CloudCommands], steps: Sequence[Step]) -> str:
    """The text of README.md."""
    return "\n".join(_lines(plan, cloud, steps)) + "\n"


def _lines(plan: StackPlan, cloud: Sequence[CloudCommands], steps: Sequence[Step]) -> Iterator[str]:
    yield f"# Stack {plan.stack} without Pulumi"
    yield ""
    yield f"Pattern {plan.pattern}, release {plan.release}, in {plan.location} of project {plan.project}."
    yield "Everything the stack consists of is in this folder; `resources.json` names the place of each resource by its"
    yield "Pulumi URN."
    yield ""
    yield "Needed: gcloud with the component gke-gcloud-auth-plugin, kubectl 1.31 or newer, and Helm 3 where the folder"
    yield "`charts` exists."
    yield ""
    yield "## Create"
    yield ""
    yield "```bash"
    names = [name for step in steps for name in variables(step)]
    for name in names:
        yield f"export {name}=..."
    yield "./1-google-cloud.sh"
    yield "./2-cluster.sh"
    yield "```"
    if names:
        yield ""
        yield "The variables hold the values of Secrets, which no file of this folder has."
    yield ""
    number = sum(len(item.commands) for item in cloud)
    yield f"1. `1-google-cloud.sh` runs {number} gcloud commands, each after what its resource depends on, and each"
    yield "   waits until the resource exists. Cluster and node pools take minutes."
    yield "2. `2-cluster.sh` applies the steps below. A step begins when the one before is ready."
    yield ""
    yield "| step | creates | waits for |"
    yield "| --- | --- | --- |"
    for step in steps:
        yield f"| {step.number} | {', '.join(_created(step))} | {', '.join(_awaited(step)) or 'nothing'} |"
    yield ""
    yield "## Change"
    yield ""
    yield "Edit a manifest and run `kubectl apply --server-side --kustomize=kubernetes/NN`, or edit the values of a"
    yield "chart and run its `helm upgrade` from `2-cluster.sh` again. Pods that read a ConfigMap restart when the"
    yield "checksum in their annotations changes: change it together with the ConfigMap."
    yield ""
    yield "## Delete"
    yield ""
    yield "In reverse: the steps from the last one to the first, `kubectl delete --kustomize=kubernetes/NN` or"
    yield "`helm uninstall`, then the resources of `1-google-cloud.sh` from the last command to the first. Gateway and"
    yield "routes go first, while GKE's controllers still run: otherwise load balancer, endpoint groups and firewall"
    yield "rules stay behind."
    yield ""
    yield "## Take over a running stack"
    yield ""
    yield "To keep what runs and stop managing it by Pulumi, delete nothing: `pulumi stack rm --force` forgets the"
    yield "stack and leaves every resource. The manifests can then be applied over it, with `--force-conflicts` to take"
    yield "over the fields that Pulumi set."


def _created(step: Step) -> list[str]:
    kinds: dict[str, int] = {}
    for _, body in step.objects:
        kinds[str(body["kind"])] = kinds.get(str(body["kind"]), 0) + 1
    created = [kind if number == 1 else f"{number} x {kind}" for kind, number in sorted(kinds.items())]
    created += [f"Secret {secret.name}" for secret in step.secrets]
    return created + [f"chart {release.inputs['name']} {release.inputs['version']}" for release in step.releases]


def _awaited(step: Step) -> list[str]:
    awaited = []
    for words in waits(step):
        condition = next((word.removeprefix("--for=") for word in words if word.startswith("--for=")), "rollout")
        object_name = words[3] if words[1] == "rollout" else words[2]
        awaited.append(f"{object_name} ({condition})".replace("|", "\\|"))
    return awaited + [f"chart {release.inputs['name']}" for release in step.releases]
