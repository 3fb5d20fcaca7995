"""The stack of these tests, and what its engines and its picker say of themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from tests.waiting import PATIENCE, eventually

from ..e2e.project import Project

STACK = "prefix-cache-gpu"
MODEL = "Qwen/Qwen2.5-3B-Instruct"
ADAPTER = "acme-style"
NAMESPACE = "llm-d-inference-scheduling"
ENGINES, PICKER = "qwen2-5-3b-instruct-vllm", "qwen2-5-3b-instruct-epp"
LENGTH = 8192
# Engines need half a minute of a processor each, and other work may take most of it.
START_SECONDS = 1500.0
_CHANGES = (
    "models[0].replicas=2",
    f"models[0].maxModelLen={LENGTH}",
    f"models[0].adapters[0].name={ADAPTER}",
    "models[0].adapters[0].source=acme/style",
)
# Of every command that plans the stack.
CHANGES = tuple(word for change in _CHANGES for word in ("-c", change))


@dataclass(frozen=True)
class Up:
    """The stack that runs, and what `up` printed."""

    project: Project
    output: str

    @property
    def address(self) -> str:
        return self.project.endpoint(STACK)

    def engines(self) -> dict[str, str]:
        """Where each engine answers past the Gateway, by pod."""
        return {
            pod["metadata"]["name"]: f"http://{pod['status']['podIP']}:8000"
            for pod in self.project.model_servers(STACK)
        }

    def metrics(self) -> dict[str, str]:
        """What each engine answers to /metrics, by pod."""
        return {
            pod: httpx.get(f"{address}/metrics", timeout=PATIENCE, trust_env=False).text
            for pod, address in self.engines().items()
        }

    def counters(self, name: str) -> dict[str, float]:
        """One counter of vLLM, by pod, summed over its labels."""
        return {pod: total(text, name) for pod, text in self.metrics().items()}


def total(text: str, name: str) -> float:
    values = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return sum(float(value) for value in values)


def canary(project: Project, stack: str, changes: Sequence[str], *, code: int) -> tuple[str, str]:
    """Outcome and evidence of the check that every place gives one answer; `code` is the status of `verify`."""
    checks = json.loads(project.look("verify", stack, *changes, "--format", "json", code=code))["checks"]
    [check] = [check for check in checks if check["id"] == "same-answer"]
    return check["outcome"], check["evidence"]


@contextmanager
def other_weights(project: Project, stack: str, deployment: str) -> Iterator[str]:
    """One more pod of a Deployment, whose model has other weights; its name."""
    # Behind the Deployment's own pods: of answers that are equally frequent the first is the usual one.
    name = "with-other-weights"
    with project.kube(stack) as kube:
        template = kube.get("apps/v1", "Deployment", deployment, NAMESPACE)["spec"]["template"]
        [container] = template["spec"]["containers"]
        env = [*container.get("env", []), {"name": "WEIGHTS_SEED", "value": "5"}]
        spec = {**template["spec"], "containers": [{**container, "env": env}]}
        metadata = {**template["metadata"], "name": name, "namespace": NAMESPACE}
        kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        try:
            eventually(lambda: name in project.ready(stack), "it serves", every=1.0, patience=START_SECONDS)
            yield name
        finally:
            kube.delete("v1", "Pod", name, NAMESPACE)
