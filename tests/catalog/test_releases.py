"""Releases name parts that exist, with flags, plugins and labels that those parts know."""

from __future__ import annotations

import pytest

import catalog
from planning.plan.routing import RouterPlan
from tests.stacks import plan_of

KNOWN = catalog.load()

# Label of the mapping ConfigMaps by model router. Sources: Gateway API Inference Extension v1.3.1 and v1.4.0,
# cmd/bbr/runner/runner.go; v1.5.0, pkg/bbr/plugins/basemodelextractor; llm-d-inference-payload-processor v0.1.0, the
# same package.
MAPPING_LABELS = {
    "v1.3.1": "inference-gateway.k8s.io/managed",
    "v1.4.0": "inference.networking.k8s.io/bbr-managed",
    "v1.5.0": "inference.networking.k8s.io/bbr-managed",
    "v0.1.0": "inference.llm-d.ai/ipp-managed",
}

# Flags of the same programs (pkg/bbr/server/options.go; cmd/bbr/runner/runner.go of v1.3.1; pkg/server/options.go).
PORTS = {"--grpc-port", "--grpc-health-port", "--metrics-port"}
FLAGS = {
    "v1.3.1": PORTS | {"--streaming", "-v"},
    "v1.4.0": PORTS
    | {"--streaming", "--metrics-endpoint-auth", "--secure-serving", "--enable-pprof", "--plugin", "-v"},
    "v1.5.0": PORTS
    | {"--streaming", "--metrics-endpoint-auth", "--secure-serving", "--enable-pprof", "--plugin", "--tracing", "-v"},
    "v0.1.0": PORTS
    | {
        "--metrics-endpoint-auth",
        "--secure-serving",
        "--enable-pprof",
        "--tracing",
        "--config-file",
        "--config-text",
        "-v",
    },
}
PLUGINS = {
    "v1.3.1": set(),
    "v1.4.0": {"no-op-plugin", "body-field-to-header"},
    "v1.5.0": {"body-field-to-header", "base-model-to-header"},
}

# Versions of the package vllm-tpu on PyPI on 2026-11-28. An image of another version does not exist.
TPU_VERSIONS = (
    *("0.11.1", "0.12.0", "0.13.3", "0.18.0", "0.19.0", "0.20.0", "0.21.0", "0.22.0", "0.23.0", "0.24.0", "0.25.0"),
    *("0.26.0", "0.27.0", "0.28.0", "0.29.0", "0.30.0", "0.31.0", "0.32.0"),
)


def router(release: str) -> RouterPlan:
    found = plan_of("multi-model-gpu", {"release": release, "registry.existingSecret": "mine"}).router
    assert found is not None
    return found


@pytest.mark.parametrize("release", KNOWN.releases)
class TestModelRouter:
    def test_reads_the_mappings_that_the_stack_writes(self, release: str) -> None:
        version = KNOWN.releases[release].router.version
        assert router(release).mapping_labels == {MAPPING_LABELS[version]: "true"}

    def test_knows_every_flag(self, release: str) -> None:
        version, args = KNOWN.releases[release].router.version, router(release).pod.args
        assert {arg.partition("=")[0] for arg in args if arg.startswith("-")} <= FLAGS[version]

    def test_has_every_plugin_that_flags_name(self, release: str) -> None:
        version, args = KNOWN.releases[release].router.version, router(release).pod.args
        named = {args[place + 1].partition(":")[0] for place, arg in enumerate(args) if arg == "--plugin"}
        assert named <= PLUGINS.get(version, set())


@pytest.mark.parametrize("release", KNOWN.releases)
def test_a_tpu_image_is_of_a_version_that_was_released(release: str) -> None:
    engine = KNOWN.releases[release].engine
    for image in (engine.tpu, *engine.exceptions):
        if image.image.startswith("vllm/vllm-tpu:"):
            assert image.image == f"vllm/vllm-tpu:v{image.version}"
            assert image.version in TPU_VERSIONS
