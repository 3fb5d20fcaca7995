"""Objects for KServe, Istio and cert-manager, against a real API server with the CRDs of those projects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.kube import Kube, KubeError, Manifest, Manifests
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.control_plane.addons import Features
from llm_d_gke.rehearsal.control_plane.control_plane import ControlPlane
from llm_d_gke.rehearsal.host import processes
from llm_d_gke.rehearsal.paths import StackPaths
from llm_d_gke.rehearsal.toolchain.build import module_dir
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.stacks import graph_of

from .test_validation import CREATED_FIRST, VERSION, objects, title

pytestmark = pytest.mark.rehearsal

# By name: the module, the toolchain's folder that pins it, and the file in it.
KINDS = {
    "llminferenceserviceconfigs.serving.kserve.io": (
        "github.com/kserve/kserve",
        "charts",
        "config/crd/full/llmisvc/serving.kserve.io_llminferenceserviceconfigs.yaml",
    ),
    "llminferenceservices.serving.kserve.io": (
        "github.com/kserve/kserve",
        "charts",
        "config/crd/full/llmisvc/serving.kserve.io_llminferenceservices.yaml",
    ),
    "certificates.cert-manager.io": (
        "github.com/cert-manager/cert-manager",
        "definitions",
        "deploy/crds/cert-manager.io_certificates.yaml",
    ),
    "issuers.cert-manager.io": (
        "github.com/cert-manager/cert-manager",
        "definitions",
        "deploy/crds/cert-manager.io_issuers.yaml",
    ),
    "destinationrules.networking.istio.io": (
        "istio.io/api",
        "definitions",
        "kubernetes/customresourcedefinitions.gen.yaml",
    ),
}
# Where no module carries the kind.
RESTATED = PROJECT_ROOT / "llm_d_gke" / "rehearsal" / "control_plane" / "crds" / "sailoperator.io.yaml"
RED_HAT = {
    "release": "rhaiis-3.2",
    "registry": {"server": "registry.redhat.io", "username": "me", "password": "a-registry-password"},
}
VARIANTS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "gpu": ("kserve-single-replica-gpu", {}),
    "tpu": ("kserve-single-replica-tpu", {}),
    "two of everything": ("kserve-prefix-cache-gpu", {"picker.replicas": 2}),
    "istio": ("kserve-istio-prefix-cache-gpu", {}),
    "istio on tpu": ("kserve-istio-single-replica-tpu", {"gateway.exposure": "internal"}),
    "istio without kserve": ("gpu", {"gateway.implementation": "istio"}),
    "a certificate without kserve": (
        "gpu",
        {"gateway.tls": {"kind": "cert-manager"}, "gateway.hostname": "llm.example.com"},
    ),
    "bucket": (
        "kserve-single-replica-gpu",
        {"models[0].source": {"kind": "bucket", "bucket": "my-weights", "path": "gemma-2b-it"}},
    ),
    "several models": ("multi-model-gpu", {"deployment": "kserve"}),
    "two stages": ("kserve-disaggregated-gpu", {}),
    "two stages on tpu": ("kserve-disaggregated-tpu", {}),
    "ranks on two hosts": ("kserve-mixture-of-experts-wide-gpu", {}),
    "a slice of four hosts": ("mixture-of-experts-tpu", {"deployment": "kserve"}),
    "red hat": ("kserve-istio-single-replica-gpu", RED_HAT),
}


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """An API server with the kinds of these projects, as their modules publish them."""
    paths = StackPaths("kinds", tmp_path_factory.mktemp("kinds"))
    try:
        ControlPlane(paths).start(Features(VERSION, secret_manager=True))
        with client(paths) as server:
            for name, (module, pins, path) in KINDS.items():
                file = module_dir(module, pins) / path
                [kind] = [
                    document
                    for document in yaml.load_all(file.read_text("utf-8"), yaml.CSafeLoader)
                    if _is(document, name)
                ]
                server.apply(kind, force=True)
            own = read_yaml(RESTATED)
            server.apply(own, force=True)
            server.wait_established([*KINDS, own["metadata"]["name"]])
            yield server
    finally:
        processes.stop_all(paths)


def _is(manifest: Manifest | None, name: str) -> bool:
    return manifest is not None and manifest["metadata"]["name"] == name


def pods_of(service: Manifest) -> Manifests:
    """One pod of each template, as KServe creates it, without the additions of its presets."""
    metadata, spec = service["metadata"], service["spec"]
    templates = {"picker": spec["router"]["scheduler"]["template"]}
    templates |= {name: spec[name] for name in ("template", "worker") if name in spec}
    if "prefill" in spec:
        templates["prefill"] = spec["prefill"]["template"]
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{metadata['name']}-{name}", "namespace": metadata["namespace"]},
            "spec": template,
        }
        for name, template in templates.items()
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_api_server_takes_every_object_and_every_pod(kube: Kube, variant: str) -> None:
    stack, changes = VARIANTS[variant]
    every = objects(graph_of(stack, changes, preview=False))
    services = [manifest for manifest in every if manifest["kind"] == "LLMInferenceService"]
    assert bool(services) == ("without" not in variant)
    refused = []
    for manifest in every:
        try:
            kube.apply(manifest, force=True, dry_run=manifest["kind"] not in CREATED_FIRST)
        except KubeError as error:
            refused.append(f"{title(manifest)}: {error}")
    for pod in [pod for service in services for pod in pods_of(service)]:
        # KServe makes the picker's account; the engine's is the stack's own.
        account = {"name": pod["spec"]["serviceAccountName"], "namespace": pod["metadata"]["namespace"]}
        kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}, force=True)
        try:
            kube.create(pod, dry_run=True)
        except KubeError as error:
            refused.append(f"{title(pod)}: {error}")
    assert refused == []


def test_a_field_that_kserve_does_not_have_is_refused(kube: Kube) -> None:
    """Else the test above could not fail: an unknown field would be dropped silently."""
    every = objects(graph_of("kserve-single-replica-gpu", preview=False))
    [service] = [manifest for manifest in every if manifest["kind"] == "LLMInferenceService"]
    service["spec"]["router"]["scheduler"]["scorerWeights"] = {"queue": 2}
    for manifest in every:
        if manifest["kind"] in CREATED_FIRST:
            kube.apply(manifest, force=True)
    with pytest.raises(KubeError, match="scorerWeights"):
        kube.apply(service, force=True, dry_run=True)
