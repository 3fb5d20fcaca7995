"""Images and charts by digest where the release has a lock, and from mirrors where the stack names them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import llm_d_gke.planning.platform.image_sources as image_sources
from llm_d_gke.catalog.charts import load_charts
from llm_d_gke.catalog.locks import Lock, load_lock, write_lock
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.planning.image_names import mirrored, registry_of
from llm_d_gke.planning.platform.image_sources import references
from llm_d_gke.rehearsal.charts import sources
from llm_d_gke.stackfile import project_stacks
from tests.stacks import plan_of

DIGEST = "sha256:" + "0123456789abcdef" * 4
HUB = {"docker.io": "mirror.example.com/hub"}
EVERY = {"*": "mirror.example.com/all"}


@pytest.mark.parametrize(
    ("reference", "mirrors", "name"),
    [
        ("vllm/vllm-openai:v1", HUB, "mirror.example.com/hub/vllm/vllm-openai:v1"),
        ("docker.io/vllm/vllm-openai:v1", HUB, "mirror.example.com/hub/vllm/vllm-openai:v1"),
        ("envoy:v1", HUB, "mirror.example.com/hub/library/envoy:v1"),
        ("ghcr.io/llm-d/picker:v1", HUB, "ghcr.io/llm-d/picker:v1"),
        (f"ghcr.io/llm-d/picker:v1@{DIGEST}", EVERY, f"mirror.example.com/all/ghcr.io/llm-d/picker:v1@{DIGEST}"),
        ("oci://ghcr.io/kserve/charts/a", EVERY, "oci://mirror.example.com/all/ghcr.io/kserve/charts/a"),
        ("localhost:5000/picker:v1", EVERY, "mirror.example.com/all/localhost:5000/picker:v1"),
        # What comes from the mirror already stays.
        ("mirror.example.com/all/picker:v1", EVERY, "mirror.example.com/all/picker:v1"),
        ("ghcr.io/a/b:v1", {**EVERY, "ghcr.io": "mirror.example.com/ghcr/"}, "mirror.example.com/ghcr/a/b:v1"),
    ],
)
def test_a_mirror_takes_the_place_of_the_registry(reference: str, mirrors: Mapping[str, str], name: str) -> None:
    assert mirrored(reference, mirrors) == name


@pytest.mark.parametrize("stack", project_stacks())
def test_nothing_comes_past_the_mirror(stack: str) -> None:
    plan = plan_of(stack, {"registry.mirrors": EVERY})
    assert {registry_of(name) for name in references(plan)} == {"mirror.example.com"}
    assert not [warning for warning in plan.warnings if warning.id == "LLMD-MIRROR-MISSING"]
    # Upstream's names are those of a stack without mirrors.
    assert [mirrored(name, EVERY) for name in references(plan_of(stack))] != references(plan_of(stack))


def test_mirrors_change_names_of_images_and_nothing_else() -> None:
    plan, other = plan_of("gpu"), plan_of("gpu", {"registry.mirrors": EVERY})
    [model], [mirrored_model] = plan.models, other.models
    assert mirrored_model.servers[0].pod.args == model.servers[0].pod.args
    assert mirrored_model.servers[0].pod.env == model.servers[0].pod.env
    assert other.namespace == plan.namespace


def test_facts_of_an_image_are_found_behind_a_mirror() -> None:
    """LD_LIBRARY_PATH follows from what the catalog knows of the upstream name."""
    names = [warning.id for warning in plan_of("gpu", {"registry.mirrors": EVERY}).warnings]
    assert "LLMD-IMAGE-UNKNOWN" not in names


def test_red_hats_images_need_no_account_behind_a_mirror() -> None:
    plan = plan_of("gpu", {"release": "rhaiis-3.2", "registry.mirrors": EVERY})
    assert plan.models[0].servers[0].pod.image.startswith("mirror.example.com/all/registry.redhat.io/")


class TestCharts:
    @pytest.mark.parametrize(
        ("mirror", "registry", "warned"),
        [
            ("mirror.example.com/all", {"existingSecret": "mirror"}, True),
            ("mirror.example.com/all", {"existingSecret": None}, False),
            ("europe-docker.pkg.dev/other-project/all", {"existingSecret": "mirror"}, True),
            ("europe-docker.pkg.dev/my-project/all", {"existingSecret": "mirror"}, False),
        ],
    )
    def test_pods_of_controllers_have_no_pull_secret(
        self, mirror: str, registry: Mapping[str, Any], warned: bool
    ) -> None:
        changes = {"project": "my-project", "registry": {**registry, "mirrors": {"*": mirror}}}
        plan = plan_of("kserve-single-replica-gpu", changes)
        assert ("LLMD-MIRROR-CONTROLLERS" in {finding.id for finding in plan.warnings}) is warned

    @pytest.mark.parametrize("name", ["lws", "cert-manager", "keda"])
    def test_values_are_where_the_chart_has_its_images(self, name: str) -> None:
        source = sources.find(name)
        assert source is not None
        values = read_yaml(source.location / "values.yaml")
        for path, image in load_charts()[name].images_of("").items():
            name_in_chart = values
            for key in path:
                name_in_chart = name_in_chart[key]
            # cert-manager's value is empty, and its parts make the name where it is. KEDA's has its registry beside it.
            parts = values
            for key in path[:-1]:
                parts = parts[key]
            registry = f"{parts['registry']}/" if parts.get("registry") else ""
            default = [values.get("imageRegistry"), values.get("imageNamespace"), parts.get("name")]
            assert (f"{registry}{name_in_chart}" if name_in_chart else "/".join(map(str, default))) == image

    def test_no_chart_of_any_release_names_an_image_past_the_mirror(self) -> None:
        """The Sail operator's own image was pulled from quay.io whatever the mirrors."""
        changes = {
            "release": "rhaii-3.4",
            "deployment": "kserve",
            "gateway.implementation": "istio",
            "registry.mirrors": EVERY,
        }
        [operator] = [chart for chart in plan_of("gpu", changes).charts if chart.name == "sail-operator"]
        image = f"mirror.example.com/all/quay.io/sail-dev/sail-operator:{operator.version}"
        assert operator.values == {"image": image}

    def test_no_value_is_set_without_a_mirror(self) -> None:
        charts = {chart.name: chart for chart in plan_of("kserve-single-replica-gpu").charts}
        assert "repository" not in charts["lws"].values["image"]["manager"]

    def test_with_one_chart_and_its_images_come_from_it(self) -> None:
        changes = {"registry.mirrors": {"registry.k8s.io": "mirror.example.com/k8s"}}
        charts = {chart.name: chart for chart in plan_of("kserve-single-replica-gpu", changes).charts}
        assert charts["lws"].chart == "oci://mirror.example.com/k8s/lws/charts/lws"
        manager = charts["lws"].values["image"]["manager"]
        assert manager["repository"] == "mirror.example.com/k8s/lws/lws"
        assert manager["tag"] == f"v{charts['lws'].version}"
        assert charts["cert-manager"].chart.startswith("oci://quay.io/")


class TestLock:
    def lock(self, images: Mapping[str, str]) -> Lock:
        return Lock(release="llm-d-0.9", date=datetime.date(2026, 11, 28), images=images)

    def test_a_locked_image_is_pulled_by_its_digest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        image = plan_of("gpu").models[0].servers[0].pod.image
        monkeypatch.setattr(image_sources, "load_lock", lambda _release: self.lock({image: DIGEST}))
        plan = plan_of("gpu")
        assert plan.models[0].servers[0].pod.image == f"{image}@{DIGEST}"
        assert "@" not in plan.models[0].picker.pod.image
        plan = plan_of("gpu", {"registry.mirrors": EVERY})
        assert plan.models[0].servers[0].pod.image == f"mirror.example.com/all/docker.io/{image}@{DIGEST}"

    def test_it_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        lock = self.lock({"a/b:v1": DIGEST})
        write_lock(lock, tmp_path)
        assert load_lock("llm-d-0.9", tmp_path) == lock
        assert load_lock("llm-d-0.10", tmp_path) is None

    def test_one_of_another_release_is_refused(self, tmp_path: Path) -> None:
        write_lock(self.lock({}), tmp_path).rename(tmp_path / "gaie-1.5.yaml")
        with pytest.raises(ValueError, match=r"lock of llm-d-0\.9"):
            load_lock("gaie-1.5", tmp_path)

    def test_a_digest_has_its_form(self) -> None:
        with pytest.raises(ValueError, match="images"):
            self.lock({"a/b:v1": "v1"})
