"""Faults planted where a pod, an end point, a model or a secret can hide: the pack finds each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from policy.llmd_policy.resources import Resource
from policy.llmd_policy.rules import RULES
from tests.policy.graphs import one_of, resources_of

BY_ID = {rule.id: rule for rule in RULES}
Resources = list[Resource]
WIDE, GROUPS, KSERVE = "mixture-of-experts-wide-gpu", "mixture-of-experts-tpu", "kserve-disaggregated-gpu"
TOKEN = "hf_" + "a1B2" * 9
KEYS: Mapping[str, Any] = {
    "gateway": {
        "exposure": "external",
        "implementation": "istio",
        "tls": {"kind": "secret", "secret": "edge"},
        "auth": {"kind": "api-keys"},
        "redirectHttp": True,
        "limits": {"tokensPerMinute": 1000, "per": "key"},
    },
    "apiKeys": {"a": "0123456789abcdef0123456789abcdef"},
    "acknowledge": None,
}
JWT = {"kind": "jwt", "issuer": "https://a.example.com", "jwksUri": "https://a.example.com/keys", "audiences": ["llm"]}
TOKENS = {**KEYS, "gateway": {**KEYS["gateway"], "auth": JWT, "limits": {}}, "apiKeys": None}


@dataclass(frozen=True)
class Fault:
    """One fault: `plant` puts it into the resources of a stack, and `rule` has to find it."""

    rule: str
    plant: Callable[[Resources], object]
    stack: str = "gpu"
    changes: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def added(resources: Resources, api: str, kind: str, name: str = "planted", **fields: Any) -> dict[str, Any]:
    """Put another object beside the stack's."""
    body = {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **fields}
    resources.append(Resource(urn=f"urn:{name}", type=f"kubernetes:{api}:{kind}", name=name, properties=body))
    return body


def pod(resources: Resources, **changes: Any) -> dict[str, Any]:
    """A specification that breaks no rule, and what is changed in it."""
    good = one_of(resources, "Deployment")["spec"]["template"]["spec"]
    return {**json.loads(json.dumps(good)), **changes}


def container(resources: Resources, **changes: Any) -> dict[str, Any]:
    return {**pod(resources)["containers"][0], **changes}


def commanded(*words: str) -> Callable[[Resources], object]:
    """A Job whose program is `words`."""
    return lambda resources: added(
        resources,
        "batch/v1",
        "Job",
        spec={"template": {"spec": pod(resources, containers=[container(resources, command=list(words), args=[])])}},
    )


def released(**values: Any) -> Callable[[Resources], object]:
    """A chart with these values."""
    return lambda resources: added(
        resources, "helm.sh/v3", "Release", chart="oci://registry.example.com/chart", values=values
    )


def in_service(path: str, **changes: Any) -> Callable[[Resources], object]:
    """Changes at a path of an LLMInferenceService."""

    def plant(resources: Resources) -> None:
        part = one_of(resources, "LLMInferenceService")["spec"]
        for key in path.split("."):
            part = part.setdefault(key, {})
        part.update(changes)

    return plant


def in_group(template: str, plant: Callable[[dict[str, Any]], object]) -> Callable[[Resources], object]:
    return lambda resources: plant(
        one_of(resources, "LeaderWorkerSet")["spec"]["leaderWorkerTemplate"][template]["spec"]
    )


def without_keys(resources: Resources) -> None:
    """The Gateway keeps its filter that counts tokens, which is a program in Lua, too."""
    patches = one_of(resources, "EnvoyFilter")["spec"]["configPatches"]
    patches[:] = [patch for patch in patches if "api-keys" not in json.dumps(patch["patch"])]
    assert ".lua." in json.dumps(patches)


def route(resources: Resources, **parent: str) -> None:
    backend = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "pool"}
    spec = {"parentRefs": [{"name": "inference-gateway", **parent}], "rules": [{"backendRefs": [backend]}]}
    added(resources, "gateway.networking.k8s.io/v1", "HTTPRoute", spec=spec)


def plain_listener(resources: Resources) -> str:
    listeners = one_of(resources, "Gateway")["spec"]["listeners"]
    return next(str(listener["name"]) for listener in listeners if listener["protocol"] == "HTTP")


def allowed(resources: Resources, **spec: Any) -> None:
    added(resources, "security.istio.io/v1", "AuthorizationPolicy", spec=spec)


def by_settings(_: Resources) -> None:
    """The stack itself, with `changes` and `parameters`, breaks the rule."""


PRODUCTION = {"labels": {"environment": "production"}, "cluster.deletionProtection": True}
ALLOWED = {"allowed": ["google/*", "Qwen/*", "deepseek-ai/*", "/*"]}
FAULTS: dict[str, Fault] = {
    # Pods of groups of hosts
    "host's processes in a worker": Fault(
        "pod-security", in_group("workerTemplate", lambda p: p.update(hostPID=True)), WIDE
    ),
    "moving tag in a leader's first container": Fault(
        "pinned-images",
        in_group(
            "leaderTemplate", lambda p: p.setdefault("initContainers", []).append({"name": "a", "image": "b:latest"})
        ),
        GROUPS,
    ),
    # Pods that KServe completes
    "privileged debugger in decode": Fault(
        "pod-security",
        in_service(
            "template", ephemeralContainers=[{"name": "debug", "image": "b:1", "securityContext": {"privileged": True}}]
        ),
        KSERVE,
    ),
    "host's network in prefill without containers": Fault(
        "pod-security", in_service("prefill.template", containers=[], hostNetwork=True), KSERVE
    ),
    "root in a worker without containers": Fault(
        "pod-security", in_service("worker", securityContext={"runAsUser": 0}), KSERVE
    ),
    "files of the node in the picker": Fault(
        "pod-security",
        in_service("router.scheduler.template", volumes=[{"name": "a", "hostPath": {"path": "/"}}]),
        KSERVE,
    ),
    "escalation in a preset": Fault(
        "pod-security",
        lambda r: added(
            r,
            "serving.kserve.io/v1alpha2",
            "LLMInferenceServiceConfig",
            spec={
                "template": {"containers": [{"image": "a:1", "securityContext": {"allowPrivilegeEscalation": True}}]}
            },
        ),
    ),
    "model that KServe downloads": Fault(
        "allowed-models",
        lambda r: (
            in_service("model", uri="hf://nobody/model")(r),
            in_service("storageInitializer", enabled=True)(r),
        ),
        KSERVE,
        parameters=ALLOWED,
    ),
    "moving weights that KServe downloads": Fault(
        "pinned-weights",
        lambda r: (
            in_service("model", uri="hf://google/gemma-2b-it:main")(r),
            in_service("storageInitializer", enabled=True)(r),
        ),
        KSERVE,
        parameters={"required": True},
    ),
    # Jobs
    "no seccomp profile in a Job": Fault(
        "pod-security",
        lambda r: added(
            r, "batch/v1", "Job", spec={"template": {"spec": pod(r, securityContext={"runAsNonRoot": True})}}
        ),
    ),
    "default account in a CronJob": Fault(
        "pod-hygiene",
        lambda r: added(
            r,
            "batch/v1",
            "CronJob",
            spec={"jobTemplate": {"spec": {"template": {"spec": pod(r, serviceAccountName="default")}}}},
        ),
    ),
    "capability in a ScaledJob": Fault(
        "pod-security",
        lambda r: added(
            r,
            "keda.sh/v1alpha1",
            "ScaledJob",
            spec={
                "jobTargetRef": {
                    "template": {
                        "spec": pod(
                            r, containers=[container(r, securityContext={"capabilities": {"add": ["SYS_ADMIN"]}})]
                        )
                    }
                }
            },
        ),
    ),
    "download of a model": Fault("allowed-models", commanded("hf", "download", "nobody/model"), parameters=ALLOWED),
    "moving weights in a bucket": Fault(
        "pinned-weights",
        commanded("python3", "/code/copy_weights.py", "google/gemma-2b-it", "", "/bucket/gemma"),
        parameters={"required": True},
    ),
    "engine in a shell": Fault(
        "allowed-models", commanded("sh", "-c", "exec vllm serve nobody/model --port 80"), parameters=ALLOWED
    ),
    "model behind options": Fault(
        "allowed-models", commanded("vllm", "serve", "--port", "80", "nobody/model"), parameters=ALLOWED
    ),
    "draft model": Fault(
        "allowed-models",
        commanded("vllm", "serve", "google/gemma-2b-it", "--speculative-config", '{"model": "nobody/draft"}'),
        parameters=ALLOWED,
    ),
    "adapter": Fault(
        "allowed-models",
        commanded("vllm", "serve", "google/gemma-2b-it", "--lora-modules", "sql=nobody/adapter"),
        parameters=ALLOWED,
    ),
    # Values of charts, and texts that another program reads
    "privilege in a chart's values": Fault(
        "pod-security", released(controller={"securityContext": {"privileged": True}})
    ),
    "node's files in a chart's values": Fault(
        "pod-security", released(extraVolumes=[{"name": "a", "hostPath": {"path": "/var/run"}}])
    ),
    "moving tag in a chart's values": Fault("pinned-images", released(image={"repository": "a/b", "tag": "latest"})),
    "load balancer in a chart's values": Fault("public-endpoint", released(service={"type": "LoadBalancer"})),
    "pod in the YAML of a ConfigMap": Fault(
        "pod-security",
        lambda r: added(
            r,
            "v1",
            "ConfigMap",
            data={
                "job.yaml": yaml.safe_dump({"spec": {"containers": [{"name": "a", "image": "b:1"}], "hostIPC": True}})
            },
        ),
    ),
    "host's network in a merge": Fault(
        "pod-security",
        lambda r: added(
            r,
            "v1",
            "ConfigMap",
            data={"deployment": json.dumps({"spec": {"template": {"spec": {"hostNetwork": True}}}})},
        ),
    ),
    "one container that is not known yet": Fault(
        "pod-security",
        lambda r: one_of(r, "Deployment")["spec"]["template"]["spec"].update(
            hostNetwork=True, containers=[container(r), "[unknown]"]
        ),
    ),
    "root as the pod's user": Fault(
        "pod-security",
        lambda r: (
            one_of(r, "Deployment")["spec"]["template"]["spec"]["securityContext"].update(runAsUser=0),
            one_of(r, "Deployment")["spec"]["template"]["spec"]["containers"][0]["securityContext"].update(runAsUser=1),
        ),
    ),
    "namespace without Pod Security": Fault(
        "pod-security", lambda r: one_of(r, "Namespace")["metadata"].update(labels={"a": "b"})
    ),
    # Images
    "moving variant": Fault(
        "pinned-images",
        lambda r: added(r, "v1", "Pod", spec={"containers": [{"name": "a", "image": "b:latest-cu128"}]}),
    ),
    "tag without a version": Fault(
        "pinned-images", lambda r: added(r, "v1", "Pod", spec={"containers": [{"name": "a", "image": "b:cuda"}]})
    ),
    "volume of a moving image": Fault(
        "pinned-images",
        lambda r: one_of(r, "Deployment")["spec"]["template"]["spec"]["volumes"].append(
            {"name": "model", "image": {"reference": "registry.example.com/model:latest"}}
        ),
    ),
    # Secrets in the clear
    "secret in an environment": Fault(
        "pod-hygiene",
        lambda r: (
            one_of(r, "Deployment")["spec"]["template"]["spec"]["containers"][0]
            .setdefault("env", [])
            .append({"name": "AWS_SECRET_ACCESS_KEY", "value": "x"})
        ),
    ),
    "key in the arguments": Fault(
        "no-clear-secrets", commanded("vllm", "serve", "google/gemma-2b-it", "--api-key", "abc")
    ),
    "password of a trigger": Fault(
        "no-clear-secrets",
        lambda r: added(
            r,
            "keda.sh/v1alpha1",
            "ScaledObject",
            spec={"triggers": [{"type": "redis", "metadata": {"password": "abc"}}]},
        ),
    ),
    "token of a PodMonitoring": Fault(
        "no-clear-secrets",
        lambda r: added(
            r,
            "monitoring.googleapis.com/v1",
            "PodMonitoring",
            spec={"endpoints": [{"authorization": {"credentials": TOKEN}}]},
        ),
    ),
    "token in a ConfigMap": Fault(
        "no-clear-secrets", lambda r: added(r, "v1", "ConfigMap", data={"a": f"key: {TOKEN}"})
    ),
    "token in an annotation": Fault(
        "no-clear-secrets", lambda r: one_of(r, "Gateway")["metadata"].setdefault("annotations", {}).update(a=TOKEN)
    ),
    "password in an address": Fault("no-clear-secrets", released(redis={"url": "redis://user:abc@redis:6379"})),
    # The edge
    "Ingress": Fault("public-endpoint", lambda r: added(r, "networking.k8s.io/v1", "Ingress", spec={}), changes=KEYS),
    "addresses of a Service": Fault(
        "public-endpoint",
        lambda r: added(r, "v1", "Service", spec={"type": "ClusterIP", "externalIPs": ["203.0.113.1"]}),
        changes=KEYS,
    ),
    "Gateway of Istio's own API": Fault(
        "public-endpoint",
        lambda r: added(
            r,
            "networking.istio.io/v1",
            "Gateway",
            "inference-gateway",
            spec={"servers": [{"port": {"number": 80, "protocol": "HTTP"}}]},
        ),
        changes=KEYS,
    ),
    "route beside a redirect": Fault(
        "public-endpoint", lambda r: route(r, sectionName=plain_listener(r)), changes=KEYS
    ),
    "route of every listener": Fault("public-endpoint", route, changes=KEYS),
    "limit in place of keys": Fault("public-endpoint", without_keys, changes=KEYS),
    "second policy that admits everybody": Fault("public-endpoint", lambda r: allowed(r, rules=[{}]), changes=TOKENS),
    "one rule without a token": Fault(
        "public-endpoint",
        lambda r: one_of(r, "AuthorizationPolicy")["spec"]["rules"].append(
            {"to": [{"operation": {"methods": ["POST"]}}]}
        ),
        changes=TOKENS,
    ),
    # Nodes that GKE creates
    "accelerator of an Autopilot pod": Fault(
        "allowed-accelerators", by_settings, "autopilot-gpu", parameters={"allowed": ["nvidia-tesla-t4"]}
    ),
    "accelerator of a ComputeClass": Fault(
        "allowed-accelerators", by_settings, "compute-class-gpu", parameters={"allowed": ["none"]}
    ),
    "spot choice of a ComputeClass in production": Fault("production", by_settings, "compute-class-gpu", PRODUCTION),
    "spot pod of Autopilot in production": Fault("production", by_settings, "autopilot-gpu", PRODUCTION),
    "nodes without a bound": Fault(
        "monthly-ceiling", by_settings, "autopilot-gpu", parameters={"usd": 10, "prices": {}}
    ),
}


def violations_of(fault: Fault, resources: Resources) -> list[str]:
    rule = BY_ID[fault.rule]
    return [violation.message for violation in rule.check(resources, {**rule.parameters, **fault.parameters})]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found(fault: Fault) -> None:
    resources = resources_of(fault.stack, fault.changes)
    # A stack whose own settings are the fault has nothing to be compared with.
    before = [] if fault.plant is by_settings else violations_of(fault, resources)
    fault.plant(resources)
    assert set(violations_of(fault, resources)) - set(before)
