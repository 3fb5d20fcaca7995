"""Charts: packed from their modules, served under the names of their registries, nothing claimed that does not run."""

from __future__ import annotations

import hashlib
import io
import ssl
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from llm_d_gke.catalog.reading import parse_yaml
from llm_d_gke.maintenance.lock import RegistryError, digest_of
from llm_d_gke.rehearsal.charts import registry, sources
from llm_d_gke.rehearsal.charts.registry import pack, refusal, respond
from llm_d_gke.rehearsal.charts.sources import differences, find, published
from llm_d_gke.rehearsal.control_plane.certificates import Certificates
from llm_d_gke.rehearsal.paths import StackPaths, recorded_differences

LWS = "oci://registry.k8s.io/lws/charts/lws"
CERT_MANAGER = "oci://quay.io/jetstack/charts/cert-manager"
ISTIO = "oci://gcr.io/istio-release/charts/base"
SAIL = "https://istio-ecosystem.github.io/sail-operator"


def packed(name: str, version: str = "1.2.3") -> dict[str, bytes]:
    source = find(name)
    assert source is not None
    return unpacked(pack(source, name, version))


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        return {entry.name: content.read() for entry in files if (content := files.extractfile(entry)) is not None}


def _without_descriptions(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_descriptions(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_descriptions(value)
        for key, value in node.items()
        if not (key == "description" and isinstance(value, str))
    }


class TestPacking:
    def test_a_chart_has_the_requested_version_and_the_app_version_of_its_module(self) -> None:
        chart = parse_yaml(packed("lws", "0.11.1")["lws/Chart.yaml"])
        source = find("lws")
        assert source is not None
        assert (chart["name"], chart["version"], chart["appVersion"]) == ("lws", "0.11.1", source.version)

    def test_files_of_the_module_are_unchanged(self) -> None:
        source = find("lws")
        assert source is not None
        files = packed("lws")
        deployment = "templates/manager/deployment.yaml"
        assert files[f"lws/{deployment}"] == (source.location / deployment).read_bytes()
        assert "lws/crds/leaderworkerset.x-k8s.io_leaderworkersets.yaml" in files

    def test_crds_are_those_of_the_module_without_descriptions(self) -> None:
        source = find("lws")
        assert source is not None
        path = "crds/leaderworkerset.x-k8s.io_leaderworkersets.yaml"
        of_module, of_chart = (
            [version["schema"] for version in parse_yaml(content)["spec"]["versions"]]
            for content in ((source.location / path).read_bytes(), packed("lws")[f"lws/{path}"])
        )
        assert of_chart == _without_descriptions(of_module) != of_module

    def test_webhooks_and_hooks_of_programs_that_do_not_run_are_left_out(self) -> None:
        files = packed("cert-manager")
        assert "cert-manager/templates/deployment.yaml" in files
        kinds = b"".join(content for name, content in files.items() if "/templates/" in name)
        assert b"kind: Certificate" in kinds or b"CustomResourceDefinition" in kinds
        assert b"WebhookConfiguration\n" not in kinds
        assert b"kind: Job" not in kinds

    def test_crds_without_their_chart_stay_when_the_release_goes(self) -> None:
        files = packed("base")
        crds = list(yaml.load_all(files["base/files/crds.yaml"], yaml.CSafeLoader))
        assert "gateways.networking.istio.io" in {crd["metadata"]["name"] for crd in crds}
        assert {crd["metadata"]["annotations"]["helm.sh/resource-policy"] for crd in crds} == {"keep"}

    def test_an_operators_own_crds_come_with_istios(self) -> None:
        crds = yaml.load_all(packed("sail-operator")["sail-operator/files/crds.yaml"], yaml.CSafeLoader)
        assert {"istios.sailoperator.io", "destinationrules.networking.istio.io"} <= {
            crd["metadata"]["name"] for crd in crds
        }

    def test_istiod_is_a_chart_without_objects(self) -> None:
        assert list(packed("istiod")) == ["istiod/Chart.yaml"]

    def test_the_same_chart_is_the_same_archive(self) -> None:
        source = find("lws")
        assert source is not None
        first = pack(source, "lws", "1.0.0")
        pack.cache_clear()
        assert pack(source, "lws", "1.0.0") == first


class TestDifferences:
    def test_another_version_is_said(self) -> None:
        [sentence] = differences(LWS, "0.1.0")
        assert "instead of 0.1.0" in sentence

    def test_the_same_version_is_said_with_its_source(self) -> None:
        source = find(LWS)
        assert source is not None
        [sentence] = differences(LWS, source.version.removeprefix("v"))
        assert f"comes from the Go module sigs.k8s.io/lws {source.version}" in sentence

    def test_programs_that_do_not_run_are_said(self) -> None:
        assert any("do not run:" in sentence for sentence in differences(CERT_MANAGER, "v1.20.2"))

    def test_kinds_that_no_module_carries_are_said(self) -> None:
        report = differences("sail-operator", "1.27.3")
        assert "its own from this project" in report[0]
        assert "marked ready as soon as its pull secrets exist" in report[1]

    def test_every_chart_of_the_catalog_has_a_source(self) -> None:
        assert [chart.chart for chart in published() if find(chart.chart) is None] == []
        missing = [name for name, source in sources._SOURCES.items() if not source.location.exists()]
        assert missing == []


@pytest.fixture
def paths(tmp_path: Path) -> StackPaths:
    stack_paths = StackPaths("charts", tmp_path)
    Certificates(stack_paths.cluster / "pki").create([], ["127.0.0.1"])
    return stack_paths


@pytest.fixture
def lines() -> list[str]:
    """The reports of the registry."""
    return []


@pytest.fixture
def web(paths: StackPaths, lines: list[str]) -> Iterator[httpx.Client]:
    """Helm's path: through the proxy, with the stack's authority as the only trusted one."""
    context = ssl.create_default_context(cafile=str(paths.cluster / "pki" / "ca.crt"))
    with (
        registry.serve(paths, lines.append) as proxy,
        httpx.Client(proxy=proxy, verify=context, trust_env=False, timeout=120.0) as client,
    ):
        yield client


class TestRegistry:
    def test_the_lock_reads_digests_of_a_registry_over_https(self, web: httpx.Client) -> None:
        """`make lock` against a registry that really answers: pulling by the digest gives the same manifest."""
        reference = "oci://registry.k8s.io/lws/charts/lws:0.9.0"
        digest = digest_of(web, reference)
        pulled = web.get(f"https://registry.k8s.io/v2/lws/charts/lws/manifests/{digest}")
        assert digest == f"sha256:{hashlib.sha256(pulled.content).hexdigest()}"
        with pytest.raises(RegistryError, match="404"):
            digest_of(web, reference.replace("0.9.0", "0.0.1"))

    def test_a_chart_is_pulled_by_tag_and_digest(self, web: httpx.Client, paths: StackPaths) -> None:
        url = "https://registry.k8s.io/v2/lws/charts/lws"
        [version] = {chart.version for chart in published() if chart.chart == LWS} & {"0.9.0"}
        assert version in web.get(f"{url}/tags/list").json()["tags"]
        head = web.head(f"{url}/manifests/{version}")
        manifest = web.get(f"{url}/manifests/{head.headers['docker-content-digest']}")
        assert manifest.headers["content-type"] == "application/vnd.oci.image.manifest.v1+json"
        assert len(manifest.content) == int(head.headers["content-length"])
        [layer] = manifest.json()["layers"]
        blob = web.get(f"{url}/blobs/{layer['digest']}")
        assert len(blob.content) == layer["size"]
        assert parse_yaml(unpacked(blob.content)["lws/Chart.yaml"])["version"] == version
        assert any("sigs.k8s.io/lws" in sentence for sentence in recorded_differences(paths))

    def test_a_repository_has_an_index(self, web: httpx.Client) -> None:
        index: dict[str, Any] = parse_yaml(web.get(f"{SAIL}/index.yaml").text)
        [entry] = index["entries"]["sail-operator"]
        chart = unpacked(web.get(f"{SAIL}/{entry['urls'][0]}").content)
        assert parse_yaml(chart["sail-operator/Chart.yaml"])["version"] == entry["version"]

    def test_a_missing_chart_is_reported_once(self, web: httpx.Client, lines: list[str]) -> None:
        """Helm reads no more of the answer than its status."""
        for _ in range(2):
            assert web.head("https://registry.example.com/v2/charts/other/manifests/1.0.0").status_code == 404
        [sentence] = lines
        assert sentence.startswith("the rehearsal has no chart oci://registry.example.com/charts/other, because")

    @pytest.mark.parametrize(
        ("host", "path"),
        [
            ("registry.example.com", "/v2/charts/other/manifests/1.0.0"),
            ("registry.k8s.io", "/v2/lws/charts/lws/manifests/0.0.1"),
            ("charts.example.com", "/index.yaml"),
        ],
    )
    def test_a_chart_that_no_module_publishes_is_refused_in_one_sentence(
        self, paths: StackPaths, host: str, path: str
    ) -> None:
        answer = respond(paths, host, path)
        assert answer.status == 404
        assert host in refusal(answer)
        assert "add the module to llm_d_gke/rehearsal/charts/sources.py" in refusal(answer)
