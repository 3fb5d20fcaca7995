"""Presets of KServe that a destroy would wait for, because no controller takes their finalizer off."""

from __future__ import annotations

from typing import Any, cast

from llm_d_gke.kserve_presets import free_presets, preset_namespaces
from llm_d_gke.kube import Kube

FINALIZER = "serving.kserve.io/llmisvcconfig-finalizer"
PRESET = "kubernetes:serving.kserve.io/v1alpha2:LLMInferenceServiceConfig"
RELEASE = "kubernetes:helm.sh/v3:Release"


def test_presets_are_where_the_stack_or_the_chart_puts_them() -> None:
    resources: list[dict[str, Any]] = [
        {"type": "pulumi:pulumi:Stack"},
        {"type": PRESET, "inputs": {"metadata": {"namespace": "chat", "name": "ranks"}}},
        {"type": RELEASE, "inputs": {"name": "kserve-runtime-configs", "namespace": "kserve"}},
        {"type": RELEASE, "inputs": {"name": "lws", "namespace": "lws-system"}},
    ]
    assert preset_namespaces({"resources": resources}) == ["chat", "kserve"]
    assert preset_namespaces({}) == []


class Cluster:
    """The part of the API that is used: two presets in each namespace, of which one has finalizers."""

    def __init__(self, *, kserve: bool = True) -> None:
        self.kserve, self.patched = kserve, list[tuple[Any, ...]]()

    def serves(self, *_: str) -> bool:
        return self.kserve

    def list(self, _version: str, _kind: str, _namespace: str) -> list[dict[str, Any]]:
        return [{"metadata": {"name": "ranks", "finalizers": ["ours/own", FINALIZER]}}, {"metadata": {"name": "free"}}]

    def patch(self, _version: str, _kind: str, *what: Any) -> None:
        self.patched.append(what)


def test_only_the_finalizer_of_kserve_is_taken_off() -> None:
    cluster = Cluster()
    assert free_presets(cast(Kube, cluster), ["chat"]) == ["chat/ranks"]
    assert cluster.patched == [("ranks", {"metadata": {"finalizers": ["ours/own"]}}, "chat")]
    assert free_presets(cast(Kube, Cluster(kserve=False)), ["chat"]) == []
