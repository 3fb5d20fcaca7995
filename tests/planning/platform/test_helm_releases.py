"""Which controllers a stack installs, in which order, with which values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.maintenance.scan.pods import helm_template
from llm_d_gke.nested import plain
from llm_d_gke.planning.plan.platform import ChartPlan
from llm_d_gke.planning.platform.chart_namespaces import plan_chart_namespaces
from llm_d_gke.rehearsal.toolchain.build import module_dir
from tests.charts import EXISTING_CLUSTER, GATEWAY, charts_of
from tests.stacks import plan_of

NEEDS = {
    (): [],
    ("groups",): ["lws"],
    ("istio",): ["istio-base", "istiod"],
    ("certificates",): ["cert-manager"],
    ("kserve",): ["lws", "cert-manager", "kserve-llmisvc-crd", "kserve-llmisvc-resources", "kserve-runtime-configs"],
}


@pytest.mark.parametrize(("needs", "names"), NEEDS.items())
def test_only_what_is_needed_is_installed(needs: tuple[str, ...], names: list[str]) -> None:
    charts = charts_of(
        groups="groups" in needs,
        kserve="kserve" in needs,
        istio="istio" in needs,
        certificates="certificates" in needs,
    )
    assert [chart.name for chart in charts] == names


def test_istio_of_an_operator_is_one_chart_and_what_it_is_asked_for() -> None:
    [sail] = charts_of({"release": "rhaiis-3.2"}, istio=True)
    assert (sail.chart, sail.repository) == ("sail-operator", "https://istio-ecosystem.github.io/sail-operator")
    assert sail.istio is not None
    # Each version of the operator supports certain versions of Istio, and refuses others.
    assert sail.istio.version == f"v{sail.version}"


@pytest.mark.parametrize("release", ["llm-d-0.9", "rhaiis-3.2"])
def test_istio_knows_inference_pools_whoever_installs_it(release: str) -> None:
    last = charts_of({"release": release}, istio=True)[-1]
    values = last.values if last.istio is None else last.istio.values["pilot"]
    assert values["env"]["ENABLE_GATEWAY_API_INFERENCE_EXTENSION"] == "true"
    assert values["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("release", ["llm-d-0.9", "rhaiis-3.2"])
def test_no_value_is_none(release: str) -> None:
    """Pulumi's SDK sends no such key, and the default of the chart would stay (findings/pulumi-none-is-dropped.sh)."""
    charts = charts_of({"release": release}, groups=True, kserve=True, istio=True, certificates=True, scales=True)
    assert any(chart.values for chart in charts)
    for chart in charts:
        assert ": null" not in json.dumps(plain([chart.values, chart.istio and chart.istio.values])), chart.name


def test_namespaces_are_as_strict_as_their_pods() -> None:
    namespaces = plan_chart_namespaces(charts_of({"release": "rhaiis-3.2"}, istio=True))
    levels = {namespace.name: namespace.labels["pod-security.kubernetes.io/enforce"] for namespace in namespaces}
    assert levels == {"sail-operator": "baseline", "istio-system": "restricted"}


def test_controllers_reach_any_address_by_https_and_dns_only() -> None:
    """cert-manager looks at its own answers to challenges (80). KEDA needs the metadata server, and one another."""
    autoscaling = {"minimum": 1, "maximum": 2, "target": {"kvCache": 0.8}}
    opened: dict[str, set[tuple[str | None, int]]] = {}
    for stack, changes in (("kserve-istio-prefix-cache-gpu", {}), ("gpu", {"models[0].autoscaling": autoscaling})):
        for namespace, (policy,) in plan_of(stack, changes).chart_policies.items():
            opened[namespace] = {
                (peer.cidr or peer.namespace, port)
                for access in policy.egress
                for peer in access.peers
                for _, port in access.ports
            }
    anywhere = {namespace: {port for peer, port in pairs if peer == "0.0.0.0/0"} for namespace, pairs in opened.items()}
    assert anywhere.pop("cert-manager") == {53, 80, 443}
    assert set(anywhere) == {"keda", "kserve", "istio-system", "lws-system"}
    assert all(ports == {53, 443} for ports in anywhere.values())
    assert opened["keda"] >= {("keda", 9666), ("169.254.169.254/32", 80), ("169.254.169.252/32", 988)}


def test_an_operator_that_exists_is_asked_for_nothing() -> None:
    changes = {**EXISTING_CLUSTER, "platform.istio.existing": True, "release": "rhaiis-3.2"}
    [sail] = charts_of(changes, istio=True)
    assert (sail.existing, sail.istio) == (True, None)
    assert plan_chart_namespaces((sail,)) == ()


def test_a_plain_stack_needs_no_chart() -> None:
    assert plan_of("gpu").charts == ()
    assert plan_of("gpu").chart_namespaces == ()


def test_each_comes_after_what_it_needs() -> None:
    charts = charts_of(kserve=True, istio=True)
    places = {chart.name: place for place, chart in enumerate(charts)}
    assert [(chart.name, name) for chart in charts for name in chart.after if places[name] >= places[chart.name]] == []
    # KServe discovers these kinds once, when it starts.
    [kserve] = [chart for chart in charts if chart.name == "kserve-llmisvc-resources"]
    assert set(kserve.after) == {"lws", "istio-base", "istiod", "cert-manager", "kserve-llmisvc-crd"}


@pytest.mark.parametrize("version", ["1.33.4-gke.1000000", "1.34.0-gke.1626000", None])
def test_the_inference_pool_kind_comes_from_one_side_only(version: str | None) -> None:
    """With two owners of a CRD, Helm refuses to install, or deletes the CRD with the first release that goes."""
    changes = {"cluster.version": version}
    [kserve] = [chart for chart in charts_of(changes, kserve=True) if chart.name == "kserve-llmisvc-resources"]
    assert kserve.values["kserve"]["llmisvc"]["createGIECRDs"] is plan_of("gpu", changes).crds.install


def test_kserve_attaches_routes_to_the_stacks_gateway() -> None:
    [kserve] = [chart for chart in charts_of(kserve=True) if chart.name == "kserve-llmisvc-resources"]
    ingress = kserve.values["kserve"]["controller"]["gateway"]["ingressGateway"]
    assert ingress["kserveGateway"] == f"{GATEWAY[0]}/{GATEWAY[1]}"


def test_kinds_stay_in_a_cluster_of_others() -> None:
    assert [chart.name for chart in charts_of(EXISTING_CLUSTER, kserve=True, istio=True) if chart.retain] == [
        "kserve-llmisvc-crd"
    ]
    assert [chart.name for chart in charts_of(kserve=True, istio=True) if chart.retain] == []


def test_what_exists_has_no_namespace_of_ours() -> None:
    existing = {**EXISTING_CLUSTER, "platform.certManager.existing": True, "platform.kserve.existing": True}
    charts = charts_of(existing, kserve=True)
    assert [namespace.name for namespace in plan_chart_namespaces(charts)] == ["lws-system"]


@pytest.mark.parametrize("release", catalog.load().releases)
def test_every_release_pins_every_chart(release: str) -> None:
    charts = charts_of({"release": release}, kserve=True, istio=True, scales=True)
    assert [
        chart.chart for chart in charts if not (chart.repository or chart.chart).startswith(("oci://", "https://"))
    ] == []
    assert [chart.version for chart in charts if not chart.version.lstrip("v")[0].isdigit()] == []


class TestValues:
    """A value that a chart does not know is ignored in silence, so each is looked up in the chart itself."""

    def test_of_leader_worker_set(self) -> None:
        [chart] = charts_of(groups=True)
        assert list(unknown(chart, module_dir("sigs.k8s.io/lws") / "charts" / "lws")) == []

    @pytest.mark.parametrize("name", ["kserve-llmisvc-resources", "kserve-runtime-configs"])
    def test_of_kserve(self, name: str) -> None:
        [chart] = [chart for chart in charts_of({"release": "gaie-1.5"}, kserve=True) if chart.name == name]
        folder = module_dir("github.com/kserve/kserve", "charts") / "charts" / name
        assert list(unknown(chart, folder)) == []

    def test_of_cert_manager(self) -> None:
        [chart] = [chart for chart in charts_of(kserve=True) if chart.name == "cert-manager"]
        folder = module_dir("github.com/cert-manager/cert-manager", "definitions") / "deploy/charts/cert-manager"
        assert list(unknown(chart, folder)) == []

    def test_of_keda(self) -> None:
        [chart] = charts_of(scales=True)
        assert list(unknown(chart, module_dir("github.com/kedacore/charts", "definitions") / "keda")) == []

    def test_kedas_operator_reads_the_secrets_of_its_own_namespace_and_the_kinds_that_scale(self) -> None:
        """By the chart as Helm renders it with the stack's values."""
        [chart] = charts_of(scales=True)
        roles = [
            item
            for item in helm_template(chart)
            if item["kind"] in ("ClusterRole", "Role") and "operator" in item["metadata"]["name"]
        ]
        rules = [(role["kind"], rule) for role in roles for rule in role["rules"]]
        assert rules
        assert not [rule for _, rule in rules if "*" in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])]
        assert {kind for kind, rule in rules if "secrets" in rule["resources"]} == {"Role"}
        assert [rule["verbs"] for _, rule in rules if rule["resources"] == ["leaderworkersets/scale"]]

    def test_a_misspelled_one_is_found(self, tmp_path: Path) -> None:
        """Else the tests around this one could not fail."""
        (tmp_path / "values.yaml").write_text("resources: {}\n")
        [chart] = charts_of(groups=True)
        assert "enableCertManager" in list(unknown(chart, tmp_path))


def unknown(chart: ChartPlan, folder: Path) -> Iterator[str]:
    defaults = read_yaml(folder / "values.yaml")
    yield from _unknown(chart.values, defaults, "")


def _unknown(values: Mapping[str, Any], defaults: Mapping[str, Any], path: str) -> Iterator[str]:
    for key, value in values.items():
        location = f"{path}{key}"
        if key not in defaults:
            yield location
        elif isinstance(value, Mapping) and defaults[key]:
            # Below an empty mapping a chart takes what Kubernetes takes.
            yield from _unknown(value, defaults[key], f"{location}.") if key not in _FREE else ()


# Handed through to Kubernetes as they are.
_FREE = ("resources", "podSecurityContext", "securityContext", "containerSecurityContext")
