"""Images and nodes meet: the driver that GKE installs, and the paths by which an engine finds it."""

from __future__ import annotations

from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.images import NodeDrivers, load_images
from llm_d_gke.planning.findings import Severity
from llm_d_gke.planning.platform import engine_images
from tests.planning.refusals.case import findings_of
from tests.stacks import plan_of

FOLDER = "/usr/local/nvidia/lib64"
# Google documents default drivers up to here.
DOCUMENTED = {"cluster.version": "1.33"}
ACCOUNT = {"registry.existingSecret": "mine"}


def driver(changes: dict[str, Any], stack: str = "gpu") -> str | None:
    [pool] = plan_of(stack, changes).accelerator_pools
    return pool.driver_version


def variables(changes: dict[str, Any], stack: str = "gpu") -> dict[str, str | None]:
    pod = plan_of(stack, changes).models[0].servers[0].pod
    return {variable.name: variable.value for variable in pod.env}


def own(image: str, **facts: Any) -> dict[str, Any]:
    return {"models[0].image": image} | ({"models[0].imageFacts": facts} if facts else {})


@pytest.mark.parametrize(
    ("image", "severity"),
    [
        ("vllm/vllm-openai:v0.30.0-cu129", Severity.ERROR),
        ("mirror.example:5000/vllm/vllm-openai:v0.30.0-cu129-ubuntu2404@sha256:" + "5" * 64, Severity.ERROR),
        ("vllm/vllm-openai:v0.31.0-cu129", Severity.WARNING),
        ("vllm/vllm-openai:v0.30.0", None),
        ("vllm/vllm-openai:v0.29.0-cu129", None),
    ],
)
def test_an_image_whose_parts_are_of_two_versions_of_cuda(image: str, severity: Severity | None) -> None:
    findings = [finding for finding in findings_of("gpu", own(image)) if finding.id == "LLMD-IMAGE-FAULT"]
    assert [finding.severity for finding in findings] == ([] if severity is None else [severity])


class TestDriver:
    @pytest.mark.parametrize(
        ("changes", "version"),
        [
            # CUDA 13 needs 580; the default of every documented version is 535.
            ({}, "LATEST"),
            (DOCUMENTED, "LATEST"),
            # CUDA 12 runs with 535, where that is known to be the default.
            ({**DOCUMENTED, "release": "gaie-1.5"}, "DEFAULT"),
            ({**DOCUMENTED, "release": "llm-d-0.6"}, "DEFAULT"),
            ({**DOCUMENTED, **own("vllm/vllm-openai:v0.26.0-cu129")}, "DEFAULT"),
            ({**DOCUMENTED, **own("vllm/vllm-openai:v0.19.1-cu130")}, "LATEST"),
            ({**DOCUMENTED, **own("mirror.example/vllm/vllm-openai:v0.19.1")}, "DEFAULT"),
            # Above the table nothing is known of the default.
            ({"release": "gaie-1.5"}, "LATEST"),
            # Newer drivers run older CUDA: with an unknown image that is the one to take.
            ({**DOCUMENTED, **own("example/engine:v1")}, "LATEST"),
            ({**DOCUMENTED, **own("example/engine:v1", cuda="12.4")}, "DEFAULT"),
            ({**DOCUMENTED, **own("example/engine:v1", cuda="13.0")}, "LATEST"),
            # The value in the stack file is used.
            ({"accelerator.driverVersion": "default"}, "DEFAULT"),
            ({**DOCUMENTED, "release": "gaie-1.5", "accelerator.driverVersion": "latest"}, "LATEST"),
        ],
    )
    def test_it_is_new_enough_for_the_image(self, changes: dict[str, Any], version: str) -> None:
        assert driver(changes) == version

    def test_the_most_demanding_image_of_a_pool_decides(self) -> None:
        second = {"models[1].image": "vllm/vllm-openai:v0.19.1"}
        assert driver({**DOCUMENTED, **second}, "multi-model-gpu") == "LATEST"

    def test_tpu_pools_have_none(self) -> None:
        assert driver({}, "tpu") is None

    def test_an_image_that_no_driver_of_the_version_runs_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        older = {"1.33": NodeDrivers(default=535, latest=550), "1.36": NodeDrivers(default=550, latest=580)}
        changed = load_images().model_copy(update={"gke_drivers": older})
        monkeypatch.setattr(engine_images, "load_images", lambda: changed)
        [error] = [finding for finding in findings_of("gpu", DOCUMENTED) if finding.severity is Severity.ERROR]
        assert error.path == "llm-d:cluster.version"
        assert "needs driver 580 or newer, and GKE 1.33 installs 550" in error.rule
        assert "GKE 1.36 or newer" in error.fix
        assert "gaie-1.5" in error.fix


class TestPaths:
    def test_the_nodes_driver_comes_before_what_the_image_has(self) -> None:
        environment = variables({})
        assert environment["LD_LIBRARY_PATH"] == f"{FOLDER}:/usr/local/cuda/lib64"
        assert environment["LIBRARY_PATH"] == FOLDER

    def test_llm_ds_images_link_against_the_driver_and_keep_their_own_path(self) -> None:
        environment = variables({"release": "llm-d-0.6"})
        assert environment["LIBRARY_PATH"] == FOLDER
        assert "LD_LIBRARY_PATH" not in environment

    def test_facts_of_the_stack_file_count_for_an_image_of_ones_own(self) -> None:
        facts = {"cuda": "12.9", "libraryPath": ["/opt/engine/lib"], "links": True}
        environment = variables(own("example/engine:v1", **facts))
        assert (environment["LD_LIBRARY_PATH"], environment["LIBRARY_PATH"]) == (f"{FOLDER}:/opt/engine/lib", FOLDER)

    def test_an_unknown_image_keeps_its_own_paths(self) -> None:
        assert not {"LD_LIBRARY_PATH", "LIBRARY_PATH"} & variables(own("example/engine:v1")).keys()

    def test_tpu_pods_have_no_driver_to_find(self) -> None:
        assert not {"LD_LIBRARY_PATH", "LIBRARY_PATH"} & variables({}, "tpu").keys()

    def test_both_stages_have_them(self) -> None:
        servers = plan_of("disaggregated-gpu").models[0].servers
        assert len(servers) == 2
        for server in servers:
            assert "LIBRARY_PATH" in {variable.name for variable in server.pod.env}


class TestWhatIsNotKnown:
    def about(self, changes: dict[str, Any], stack: str = "gpu") -> list[str]:
        return [finding.path for finding in findings_of(stack, changes) if "imageFacts" in finding.path]

    def test_a_release_whose_image_was_not_read_warns_once(self) -> None:
        changes = {"release": "rhaiis-3.2", **ACCOUNT}
        assert self.about(changes, "multi-model-gpu") == ["llm-d:models[0].imageFacts"]

    def test_facts_end_the_warning(self) -> None:
        assert self.about(own("example/engine:v1"))
        assert not self.about(own("example/engine:v1", cuda="12.9", libraryPath=["/opt/lib"]))

    def test_the_default_release_is_known(self) -> None:
        assert not self.about({})

    def test_no_tpu_image_needs_a_driver(self) -> None:
        assert not self.about(own("example/engine:v1"), "tpu")


class TestCatalog:
    @pytest.mark.parametrize("release", catalog.load().releases)
    def test_every_gpu_image_of_a_release_has_an_entry(self, release: str) -> None:
        assert load_images().find(catalog.load().releases[release].engine.gpu.image) is not None

    def test_every_entry_names_its_sources(self) -> None:
        images = load_images()
        for entries in images.images.values():
            for facts in entries:
                assert facts.sources
                assert set(facts.sources) <= images.sources.keys()
