"""Frees KServe's presets of a finalizer that an older KServe does not take off, so that they can be deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from llm_d_gke.kube import Kube

_PRESET: Final = ("serving.kserve.io/v1alpha2", "LLMInferenceServiceConfig")
_RELEASE: Final = "kubernetes:helm.sh/v3:Release"
_CHART: Final = "kserve-runtime-configs"
# Of kserve v0.20.0, pkg/controller/v1alpha2/llmisvc/llmisvcconfig_controller.go.
_FINALIZER: Final = "serving.kserve.io/llmisvcconfig-finalizer"


def preset_namespaces(deployment: Mapping[str, Any]) -> list[str]:
    """Namespaces in which a stack has presets, by its state (`deployment` of an exported stack)."""
    namespaces = set()
    for resource in deployment.get("resources") or ():
        inputs = resource.get("inputs") or {}
        if resource["type"] == f"kubernetes:{_PRESET[0]}:{_PRESET[1]}":
            namespaces.add(str(inputs["metadata"]["namespace"]))
        elif resource["type"] == _RELEASE and inputs.get("name") == _CHART:
            namespaces.add(str(inputs["namespace"]))
    return sorted(namespaces)


def free_presets(kube: Kube, namespaces: Iterable[str]) -> list[str]:
    """Take the finalizer off the presets in these namespaces. Returns `namespace/name` of those that had it.

    A KServe that knows the finalizer puts it back, and takes it off itself when the preset is deleted.
    """
    if not kube.serves(*_PRESET):
        return []
    freed = []
    for namespace in namespaces:
        for preset in kube.list(*_PRESET, namespace):
            metadata = preset["metadata"]
            finalizers = metadata.get("finalizers") or []
            if _FINALIZER in finalizers:
                others = [finalizer for finalizer in finalizers if finalizer != _FINALIZER]
                kube.patch(*_PRESET, metadata["name"], {"metadata": {"finalizers": others}}, namespace)
                freed.append(f"{namespace}/{metadata['name']}")
    return freed
