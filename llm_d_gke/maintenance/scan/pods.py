"""The pods of all stacks as separate manifests, and the other objects of these stacks."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from llm_d_gke.components.stack import InferenceStack
from llm_d_gke.go_yaml import dump_yaml
from llm_d_gke.maintenance.fuzz.run import spread
from llm_d_gke.maintenance.fuzz.varied import VARIED, kinds_of
from llm_d_gke.nested import plain, value_at
from llm_d_gke.operations.bench.job import job_objects
from llm_d_gke.operations.bench.scenario import scenarios
from llm_d_gke.operations.stage.command import objects as stage_objects
from llm_d_gke.planning import StackPlan, plan_config, plan_raw
from llm_d_gke.planning.plan.platform import ChartPlan
from llm_d_gke.rehearsal.charts import sources
from llm_d_gke.rehearsal.charts.registry import pack
from llm_d_gke.rehearsal.pulumi_engine.configuration import PROJECT, TOKEN, load
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.resource_graph.kubernetes import kubernetes_objects
from llm_d_gke.resource_graph.recorder import record
from llm_d_gke.resource_graph.stack_program import settings_config
from llm_d_gke.settings import StackSettings
from llm_d_gke.settings.models import BucketSource
from llm_d_gke.stackfile import PROJECT_ROOT
from policy.check_manifests import resources_in
from policy.llmd_policy.pods import exception_of
from policy.llmd_policy.resources import Pod, Resource, pods_of

# The oldest version of GKE whose charts are rendered: they ask for a Kubernetes version.
_KUBERNETES = "1.34.1"
# What is scanned of objects without pods. Kinds of other API groups say nothing to a scanner.
_KINDS = frozenset(
    {"Namespace", "NetworkPolicy", "PodDisruptionBudget", "ResourceQuota", "LimitRange", "Service", "ServiceAccount"}
    | {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Deployment", "Job", "Secret", "ConfigMap"}
)


_WORKER = "spec.leaderWorkerTemplate.workerTemplate.spec"

# What a pod is in its stack. `group-worker` is a host of a group whose first host has a pod of another form.
Component = Literal[
    "model-server", "group-worker", "endpoint-picker", "model-router", "model-index", "job", "controller", "other"
]


@dataclass(frozen=True)
class Traits:
    """The properties of a pod, or of its workload, that exceptions match."""

    component: Component
    containers: frozenset[str]
    # Commands and arguments of all containers.
    command: str
    security_exception: str | None


@dataclass(frozen=True)
class ScannedPod:
    """A pod of a stack or chart. `name` is unique: `gpu.deployment.gemma-2b-it-vllm.spec-template-spec`."""

    source: str
    name: str
    pod: Pod

    @property
    def manifest(self) -> dict[str, Any]:
        """The pod alone, with the labels by which NetworkPolicies select it."""
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "labels": dict(pod_labels(self.pod)),
            "annotations": dict(self.pod.annotations),
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": dict(self.pod.spec)}

    @property
    def traits(self) -> Traits:
        """Everything that an exception may ask of the pod."""
        return Traits(
            component=component_of(self.source, self.pod),
            containers=frozenset(str(container["name"]) for container in self.pod.containers),
            command="\n".join(
                str(word)
                for container in self.pod.containers
                for key in ("command", "args")
                for word in container.get(key) or ()
            ),
            security_exception=exception_of(self.pod),
        )

    @property
    def namespace(self) -> str:
        metadata: Mapping[str, Any] = self.pod.resource.properties.get("metadata") or {}
        return str(metadata.get("namespace"))


def component_of(source: str, pod: Pod) -> Component:
    """The component of a pod, by its labels or by its field in a custom resource."""
    if source.startswith("chart/"):
        return "controller"
    if pod.resource.kind == "Job":
        return "job"
    if pod.resource.kind == "LeaderWorkerSet" and pod.place == _WORKER and _has(pod, "leaderTemplate"):
        return "group-worker"
    if pod.resource.kind == "LLMInferenceService":
        if pod.place.startswith("spec.router.scheduler"):
            return "endpoint-picker"
        return "group-worker" if _is_worker_of_service(pod) else "model-server"
    stated = pod_labels(pod).get("app.kubernetes.io/component")
    for component in ("endpoint-picker", "model-router", "model-index", "model-server"):
        if stated == component:
            return component
    return "other"


def _is_worker_of_service(pod: Pod) -> bool:
    """Whether the pod is `worker` beside a `template`, which is then the first host, in a service or its prefill."""
    *path, last = pod.place.split(".")
    return last == "worker" and "template" in value_at(pod.resource.properties, *path)


def _has(pod: Pod, part: str) -> bool:
    """Whether the group of the pod has a leader of its own form."""
    return bool((pod.resource.properties["spec"].get("leaderWorkerTemplate") or {}).get(part))


def scanned_pods(source: str, objects: list[dict[str, Any]]) -> list[ScannedPod]:
    """The pods in the objects of one stack or chart."""
    return [
        ScannedPod(source=source, name=_name(source, pod), pod=pod)
        for manifest in objects
        for pod in pods_of(_resource(source, manifest))
        # A chart's preset is a part of a pod: KServe merges it into what a service states.
        if not (manifest["kind"] == "LLMInferenceServiceConfig" and source.startswith("chart/"))
    ]


def plain_objects(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Objects of Kubernetes' own kinds, which scanners know."""
    return [manifest for manifest in objects if manifest["kind"] in _KINDS]


def stack_plan(stack: str) -> StackPlan:
    """The plan of a stack as GKE would get it. Raises RefusedError."""
    return plan_config(stack, load(PROJECT_ROOT, stack, own_release=True))


def stack_objects(plan: StackPlan) -> list[dict[str, Any]]:
    """Every object of a stack."""
    graph = record(lambda: InferenceStack(plan.stack, plan, prefix=""), stack=plan.stack)
    return [dict(body) for body in kubernetes_objects(graph)]


def random_objects(count: int, seed: int) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """The name, values and objects of `count` random stacks, the same ones for the same seed."""
    for number, values in enumerate(spread(VARIED, count, seed, kinds_of), start=1):
        name = f"random-{number}"
        graph = record(
            PROJECT_ROOT / "__main__.py",
            stack=name,
            config=settings_config(values, encrypted=("huggingFace", "apiKeys")),
        )
        yield name, values, [dict(body) for body in kubernetes_objects(graph)]


def staging_objects() -> list[dict[str, Any]]:
    """The objects of `make stage`, for a model whose weights come from a bucket."""
    plan, stack_settings = _own_plan({"kind": "bucket", "bucket": "weights", "path": "gemma"})
    objects: list[dict[str, Any]] = []
    for model, settings in zip(plan.models, stack_settings.models, strict=True):
        if isinstance(settings.source, BucketSource):
            objects += stage_objects(plan, model, settings, settings.source)
    return objects


def load_objects() -> list[dict[str, Any]]:
    """The objects of the Job that `bench --job` writes."""
    plan, _ = _own_plan({"kind": "hugging-face"})
    return job_objects(plan, scenarios()["throughput"], {}, "load-throughput", "http://203.0.113.1")


def chart_objects(plans: Iterable[StackPlan]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each chart of the stacks with what Helm renders for it, by `chart/NAME`; once for the same values."""
    seen: dict[str, ChartPlan] = {}
    for plan in plans:
        for chart in plan.charts:
            seen.setdefault(f"chart/{chart.name}", chart)
    for name, chart in sorted(seen.items()):
        source = sources.find(chart.chart, chart.version)
        if source is None or source.stand_in:
            print(f"{name}: pods are missing in the scan: {source.stand_in if source else 'no Go module carries it'}")
        if source is not None:
            yield name, helm_template(chart)


def helm_template(chart: ChartPlan) -> list[dict[str, Any]]:
    """The objects of a chart with the values of its plan. CRDs have no pods and are left out."""
    source = sources.find(chart.chart, chart.version)
    if source is None:
        raise ValueError(f"no Go module carries the chart {chart.chart}")
    helm = binaries(["helm"], print)["helm"]
    with TemporaryDirectory() as folder:
        archive, values = Path(folder, "chart.tgz"), Path(folder, "values.yaml")
        archive.write_bytes(pack(source, chart.chart.rsplit("/", 1)[-1], chart.version))
        values.write_text(dump_yaml(plain(chart.values)), encoding="utf-8")
        command = [str(helm), "template", chart.name, str(archive), "--namespace", chart.namespace]
        command += ["--values", str(values), "--kube-version", _KUBERNETES]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    bodies = [dict(resource.properties) for resource in resources_in(text, chart.name)]
    for body in bodies:
        # Helm puts objects without a namespace into the release's.
        body["metadata"].setdefault("namespace", chart.namespace)
    return [body for body in bodies if body["kind"] != "CustomResourceDefinition"]


def _own_plan(source: Mapping[str, str]) -> tuple[StackPlan, StackSettings]:
    """A stack of one gated model. No stack file has it, because those of the project may be changed."""
    values = {
        "project": PROJECT,
        "location": "us-central1-a",
        "accelerator": {"type": "nvidia-l4"},
        "models": [{"id": "google/gemma-2b-it", "source": dict(source)}],
        "huggingFace": {"token": TOKEN},
    }
    return plan_raw("jobs", values, frozenset({"huggingFace"})), StackSettings.model_validate(values)


def _resource(source: str, body: dict[str, Any]) -> Resource:
    metadata = body["metadata"]
    kind = f"kubernetes:{body['apiVersion']}:{body['kind']}"
    return Resource(
        urn=f"{source}:{body['kind']}/{metadata['name']}", type=kind, name=metadata["name"], properties=body
    )


def _name(source: str, pod: Pod) -> str:
    place = pod.place.removeprefix("spec.").removesuffix(".spec")
    words = (source.replace("/", "-"), pod.resource.kind, pod.resource.object_name, place)
    return ".".join(re.sub(r"[^a-z0-9-]+", "-", word.lower()).strip("-") for word in words)


def pod_labels(pod: Pod) -> Mapping[str, str]:
    """Labels of the pod's template, or those that an LLMInferenceService states beside it."""
    *path, last = pod.place.split(".") if pod.place else [""]
    labels = value_at(pod.resource.properties, *(path if last == "spec" else ()), "metadata", "labels")
    return labels if isinstance(labels, Mapping) else {}
