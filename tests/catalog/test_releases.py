"""Releases name parts that exist, with flags, plugins and labels that those parts know."""

from __future__ import annotations

import pytest

from llm_d_gke import catalog
from llm_d_gke.maintenance import conformance
from llm_d_gke.planning.plan.routing import RouterPlan
from tests.planning.refusals.case import findings_of
from tests.stacks import plan_of

CATALOG = catalog.load()

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
    router_plan = plan_of("multi-model-gpu", {"release": release, "registry.existingSecret": "mine"}).router
    assert router_plan is not None
    return router_plan


@pytest.mark.parametrize("release", CATALOG.releases)
class TestModelRouter:
    def test_reads_the_mappings_that_the_stack_writes(self, release: str) -> None:
        version = CATALOG.releases[release].router.version
        assert CATALOG.releases[release].router.mapping_label == MAPPING_LABELS[version]
        # Both programs see them during an upgrade.
        assert router(release).mapping_labels == dict.fromkeys(MAPPING_LABELS.values(), "true")

    def test_knows_every_flag(self, release: str) -> None:
        version, args = CATALOG.releases[release].router.version, router(release).pod.args
        assert {arg.partition("=")[0] for arg in args if arg.startswith("-")} <= FLAGS[version]

    def test_has_every_plugin_that_flags_name(self, release: str) -> None:
        version, args = CATALOG.releases[release].router.version, router(release).pod.args
        used = {args[place + 1].partition(":")[0] for place, arg in enumerate(args) if arg == "--plugin"}
        assert used <= PLUGINS.get(version, set())


@pytest.mark.parametrize("release", CATALOG.releases)
def test_a_tpu_image_is_of_a_version_that_was_released(release: str) -> None:
    engine = CATALOG.releases[release].engine
    for image in filter(None, (engine.tpu, *engine.exceptions)):
        if image.image.startswith("vllm/vllm-tpu:"):
            assert image.image == f"vllm/vllm-tpu:v{image.version}"
            assert image.version in TPU_VERSIONS


@pytest.fixture(scope="module")
def page() -> str:
    return conformance.page()


class TestConformance:
    def test_the_page_is_current(self, page: str) -> None:
        assert conformance.PAGE.read_text(encoding="utf-8") == page, "python -m llm_d_gke.maintenance.conformance"

    def test_no_part_differs_from_its_source(self, page: str) -> None:
        assert "**differs**" not in page

    def test_a_part_of_another_version_differs(self) -> None:
        """One release at a time, with one part of another: the page has to show it."""
        plans = conformance.plans_of("llm-d-0.6")
        release = CATALOG.releases["llm-d-0.6"]
        for other in ("llm-d-0.9", "llm-d-0.4"):
            label = release.router.model_copy(update={"mapping_label": CATALOG.releases[other].router.mapping_label})
            changed = release.model_copy(update={"router": label})
            results = {cell.part: cell.result for cell in conformance.cells_of(changed, plans)}
            assert results["model router"] == "**differs**"


class TestTheNextRelease:
    """Changes by upstream's pull requests: removed plugins of the picker, and a TPU image that starts."""

    def test_removed_plugins_are_gone(self) -> None:
        old, new = (CATALOG.pickers[f"llm-d-router-{version}"].plugins.keys() for version in ("v0.10.0", "v0.11.0"))
        removed = {"by-label", "by-label-selector", "pd-profile-handler", "precise-prefix-cache-scorer"}
        assert removed <= old - new
        assert {name for name in old if CATALOG.pickers["llm-d-router-v0.10.0"].plugins[name].deprecated} == old - new

    def test_prefill_and_decode_on_tpu_v7x_stay_with_the_version_that_starts(self) -> None:
        engine = CATALOG.releases["llm-d-0.10"].engine
        images = {
            (name, disaggregated): engine.image_for(CATALOG.accelerators[name], disaggregated=disaggregated)
            for name in ("tpu-v6e", "tpu-v7x", "nvidia-l4")
            for disaggregated in (False, True)
        }
        versions = {key: image.version for key, image in images.items() if image is not None}
        assert versions == {
            ("tpu-v6e", False): "0.29.0",
            ("tpu-v6e", True): "0.29.0",
            ("tpu-v7x", False): "0.29.0",
            ("tpu-v7x", True): "0.26.0",
            ("nvidia-l4", False): "0.30.0",
            ("nvidia-l4", True): "0.30.0",
        }

    def test_a_removed_plugin_is_refused_with_its_replacement(self) -> None:
        config = {
            "apiVersion": "llm-d.ai/v1alpha1",
            "kind": "EndpointPickerConfig",
            "plugins": [{"type": "by-label", "parameters": {"label": "a", "validValues": ["b"]}}],
            "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "by-label"}]}],
        }
        findings = findings_of("gpu", {"release": "llm-d-0.10", "picker.config": config})
        assert any("by-label" in finding.value and "llm-d-0.9" in finding.fix for finding in findings)

    def test_the_default_stays_the_proven_one(self) -> None:
        plan = plan_of("gpu")
        assert plan.release == "llm-d-0.9"
        assert not CATALOG.releases[plan.release].unproven
