"""Real parts judge what is rendered for them, and a value of another version turns a cell red."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke import catalog
from llm_d_gke.catalog.images import load_images
from llm_d_gke.catalog.upstream import load_upstream
from llm_d_gke.maintenance.conformance import __main__ as conformance_main
from llm_d_gke.maintenance.conformance import kinds, pickers_in_cluster, predecessors, programs, record
from llm_d_gke.maintenance.conformance.api_server import ApiServer, api_server
from llm_d_gke.maintenance.conformance.compare import cells_of
from llm_d_gke.maintenance.conformance.rendered import (
    Rendered,
    plan,
    plans_of,
    rendered,
    shape,
    variant_settings,
    variants_of,
)
from llm_d_gke.maintenance.upstream.parts import images
from llm_d_gke.planning import Finding, RefusedError, StackPlan
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.stackfile import project_stacks

CATALOG = catalog.load()
# Releases whose programs the toolchain builds for rehearsals anyway, with the parts that are judged.
QUICK = {
    "llm-d-0.9": {"model router"},
    "gaie-1.5": {"endpoint picker", "model router"},
    "llm-d-0.6": {"endpoint picker", "routing sidecar"},
}
PICKER = "registry.k8s.io/gateway-api-inference-extension/epp:v1.5.0"
CONFIG: dict[str, Any] = {
    "apiVersion": "inference.networking.x-k8s.io/v1alpha1",
    "kind": "EndpointPickerConfig",
    "plugins": [{"type": "queue-scorer"}],
    "schedulingProfiles": [{"name": "default", "plugins": [{"pluginRef": "queue-scorer"}]}],
}
ARGS = ("--pool-name=all", "--config-file=/config/picker.yaml", "--tracing=false")


@pytest.fixture(scope="module")
def picker() -> Path:
    return binaries(["epp"], lambda _: None)["epp"]


class TestRealPrograms:
    @pytest.mark.parametrize("name", QUICK)
    def test_they_take_what_is_rendered(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        release = CATALOG.releases[name]
        only = ("gpu", "prefix-cache-tpu", "multi-model-gpu", "disaggregated-gpu")
        plans = plans_of(name, only=only)
        pinned_images = {part: image for part, image in images(release).items() if part in QUICK[name]}
        monkeypatch.setattr(record, "images", lambda _: pinned_images)
        runs = {run.part: run for run in record.program_runs(release, plans, lambda _: None, pinned_only=True)}
        assert runs.keys() == QUICK[name]
        assert {part: run.lines for part, run in runs.items() if run.refused} == {}

    @pytest.mark.parametrize(
        ("args", "config", "expected"),
        [
            ((*ARGS, "--no-such-flag"), CONFIG, "no-such-flag"),
            (ARGS, {**CONFIG, "plugins": [{"type": "queue-scoer"}]}, "queue-scoer"),
            (ARGS, {**CONFIG, "apiVersion": "llm-d.ai/v1alpha1"}, "llm-d.ai/v1alpha1"),
            (ARGS, {**CONFIG, "schedulingProfile": []}, "schedulingProfile"),
            ((*ARGS, "--refresh-metrics-interval=often"), CONFIG, "refresh-metrics-interval"),
        ],
        ids=["flag", "plugin", "API of another picker", "field", "value"],
    )
    def test_an_unknown_one_is_refused(
        self, picker: Path, args: tuple[str, ...], config: dict[str, Any], expected: str
    ) -> None:
        [line] = programs.refusals(picker, PICKER, [Rendered(args, config)])
        assert expected in line
        assert record.Run("r", "p", "j", "g", (line,), "s", "d").refused

    def test_a_deprecated_flag_is_a_line(self, picker: Path) -> None:
        renderings = [Rendered((*ARGS, "--model-server-metrics-scheme=https"), CONFIG)]
        lines = tuple(programs.refusals(picker, PICKER, renderings))
        assert lines == ("flag --model-server-metrics-scheme is deprecated",)
        assert not record.Run("r", "p", "j", "g", lines, "s", "d").refused

    def test_the_label_of_mappings_is_in_the_router(self) -> None:
        router = binaries(["payload-processor"], lambda _: None)["payload-processor"]
        own, before = (CATALOG.releases[name].router.mapping_label for name in ("llm-d-0.9", "llm-d-0.6"))
        assert programs.has_word(router, own)
        assert not programs.has_word(router, before)


class TestKept:
    """A part runs again as soon as anything that it is given changes."""

    RENDERED = Rendered(("--port=1",), {"plugins": [{"type": "queue-scorer", "weight": 1}]})

    def test_only_what_is_the_same_is_left_out(self) -> None:
        release = CATALOG.releases["llm-d-0.9"]
        inputs = record._inputs([self.RENDERED], programs, "label")
        earlier = [record.Run("llm-d-0.9", "part", "judge", "", (), "", "", inputs)]
        assert record._is_current(earlier, release, "part", "judge", inputs)
        assert not record._is_current(earlier, release, "part", "another judge", inputs)
        assert not record._is_current(earlier, CATALOG.releases["llm-d-0.6"], "part", "judge", inputs)
        for other in (
            record._inputs([Rendered(("--port=2",), self.RENDERED.config)], programs, "label"),
            record._inputs([self.RENDERED], programs, "another label"),
            record._inputs([self.RENDERED], kinds, "label"),
            record._inputs([self.RENDERED, self.RENDERED], programs, "label"),
        ):
            assert not record._is_current(earlier, release, "part", "judge", other)


class TestVariants:
    """Features that no stack uses reach the real parts too."""

    def test_the_default_release_plans_each(self) -> None:
        assert len(variants_of("llm-d-0.9")) == len(variant_settings())

    def test_they_bring_plugins_that_no_stack_has(self) -> None:
        image = CATALOG.releases["llm-d-0.9"].picker.image
        plans, variants = plans_of("llm-d-0.9"), variants_of("llm-d-0.9")
        ours, more = (
            {plugin["type"] for rendering in rendered(which, image) for plugin in (rendering.config or {})["plugins"]}
            for which in (plans, variants)
        )
        assert {"precise-prefix-cache-producer", "always-disagg-pd-decider"} <= more - ours


class TestShape:
    """A result holds until flags, plugins or fields change, not until a number does."""

    RENDERED = Rendered(("--port=1", "--name=a"), {"plugins": [{"type": "queue-scorer", "weight": 1}]})

    def test_values_do_not_change_it(self) -> None:
        other = Rendered(("--name=b", "--port=2"), {"plugins": [{"type": "queue-scorer", "weight": 3}]})
        assert shape([self.RENDERED]) == shape([other])

    @pytest.mark.parametrize(
        "other",
        [
            Rendered(("--port=1", "--names=a"), RENDERED.config),
            Rendered(RENDERED.args, {"plugins": [{"type": "lora-affinity-scorer", "weight": 1}]}),
            Rendered(RENDERED.args, {"plugins": [{"type": "queue-scorer", "weights": 1}]}),
        ],
        ids=["flag", "plugin", "field"],
    )
    def test_names_do(self, other: Rendered) -> None:
        assert shape([self.RENDERED]) != shape([other])


@pytest.fixture(scope="module")
def running() -> Iterator[ApiServer]:
    with api_server(lambda _: None) as server:
        yield server


@pytest.mark.rehearsal
class TestApiServer:
    """What the real one refuses, without keeping anything."""

    CRD: dict[str, Any] = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "required": ["size"],
                                    "x-kubernetes-validations": [
                                        {
                                            "rule": "self.size <= 4 || has(self.port)",
                                            "message": "a large one has a port",
                                        }
                                    ],
                                    "properties": {
                                        "size": {"type": "integer", "minimum": 1},
                                        "port": {"type": "integer", "default": 80},
                                        "count": {"type": "integer"},
                                    },
                                }
                            },
                        }
                    },
                },
                {
                    "name": "v1beta1",
                    "served": True,
                    "storage": False,
                    "deprecated": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                },
            ],
        },
    }

    @pytest.fixture
    def server(self, running: ApiServer) -> ApiServer:
        running.define([self.CRD])
        return running

    @pytest.mark.parametrize(
        ("version", "spec", "expected"),
        [
            ("v1", {"size": 1, "count": 2}, None),
            ("v1", {"size": 1, "sizes": 2}, "sizes"),
            ("v1", {"size": "one"}, "must be of type integer"),
            ("v1", {"size": 0}, "greater than or equal to 1"),
            ("v1", {}, "Required value"),
            ("v1beta1", {}, "deprecated"),
            ("v2", {}, "is not served"),
        ],
    )
    def test_what_it_refuses(self, server: ApiServer, version: str, spec: dict[str, Any], expected: str | None) -> None:
        lines = server.judge([self.thing(version, spec)]).lines
        assert any(expected in line for line in lines) if expected else lines == ()

    def test_rules_in_cel_are_among_it(self, server: ApiServer) -> None:
        spec = self.CRD["spec"]
        schema = spec["versions"][0]["schema"]["openAPIV3Schema"]
        changed = json.loads(json.dumps(self.CRD))
        del changed["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["port"][
            "default"
        ]
        assert "default" in schema["properties"]["spec"]["properties"]["port"]
        assert server.judge([self.thing("v1", {"size": 5})]).lines == ()
        server.define([changed])
        [line] = server.judge([self.thing("v1", {"size": 5})]).lines
        assert "a large one has a port" in line

    def test_defaults_are_filled_in(self, server: ApiServer) -> None:
        [accepted] = server.judge([self.thing("v1", {"size": 1})]).accepted
        assert accepted["spec"] == {"size": 1, "port": 80}

    @pytest.mark.parametrize(("size", "expected"), [(0, "size must be equal or greater"), (2, None)])
    def test_the_code_of_a_webhook_judges(self, size: int, expected: str | None) -> None:
        part = next(part for part in kinds.PARTS if part.webhook == "lws-webhook")
        spec = {"replicas": 1, "leaderWorkerTemplate": {"size": size}}
        manifest = {"metadata": {"name": "x", "namespace": "y"}, "spec": spec}
        lines = [*kinds.webhook_refusals(part, CATALOG.releases["llm-d-0.9"], [manifest], lambda _: None)]
        assert [expected is not None and expected in line for line in lines] == ([True] if expected else [])

    def thing(self, version: str, spec: dict[str, Any]) -> dict[str, Any]:
        metadata = {"name": "x", "namespace": "elsewhere"}
        return {"apiVersion": f"example.com/{version}", "kind": "Thing", "metadata": metadata, "spec": spec}


# Ends with a message that names whether the API server has the kind that pickers of llm-d-0.4 watch.
WATCHES_OBJECTIVES = """#!{python}
import os, ssl, urllib.request, pathlib, yaml
file = pathlib.Path(os.environ["KUBECONFIG"])
config = yaml.safe_load(file.read_text())
cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
context = ssl.create_default_context(cafile=file.parent / cluster["certificate-authority"])
context.load_cert_chain(file.parent / user["client-certificate"], file.parent / user["client-key"])
try:
    url = cluster["server"] + "/apis/inference.networking.x-k8s.io/v1alpha2/inferenceobjectives"
    served = urllib.request.urlopen(url, context=context).status == 200
except urllib.error.HTTPError as refusal:
    served = refusal.code != 404  # 429 while the storage of a new kind starts
print("error: InferenceObjective is served:", served)
"""


@pytest.mark.rehearsal
class TestPickersInCluster:
    """A picker has to become ready with no other kinds than those that GKE brings and the stack installs."""

    @pytest.fixture
    def case(self) -> pickers_in_cluster.Case:
        [case] = pickers_in_cluster.cases(plans_of("gaie-1.5", only=("gpu",)), PICKER)
        return case

    def test_it_becomes_ready(self, running: ApiServer, picker: Path, case: pickers_in_cluster.Case) -> None:
        assert [*pickers_in_cluster.refusals(running, picker, [case])] == []

    @pytest.mark.parametrize("installed", [True, False])
    def test_it_sees_no_kind_but_these(
        self, running: ApiServer, case: pickers_in_cluster.Case, tmp_path: Path, installed: bool
    ) -> None:
        script = tmp_path / "picker"
        script.write_text(WATCHES_OBJECTIVES.format(python=sys.executable), encoding="utf-8")
        script.chmod(0o755)
        other = replace(case, crds=replace(case.crds, objectives=installed))
        expected = f"it ended: error: InferenceObjective is served: {installed}"
        assert [*pickers_in_cluster.refusals(running, script, [other])] == [expected]


def test_a_picker_of_each_set_of_kinds_is_started() -> None:
    plans = plans_of("llm-d-0.4", only=("gpu", "kserve-single-replica-gpu"))
    gpu = plans["gpu"]
    plans["without"] = replace(gpu, crds=replace(gpu.crds, objectives=False))
    cases = pickers_in_cluster.cases(plans, CATALOG.releases["llm-d-0.4"].picker.image)
    assert [[crd["metadata"]["name"] for crd in case.definitions()] for case in cases] == [
        [],
        ["inferenceobjectives.inference.networking.x-k8s.io"],
    ]


class TestPredecessors:
    """One field of a release with its predecessor's value."""

    CHANGES = (
        ("llm-d-0.9", "router.mapping_label"),
        ("llm-d-0.9", "router.flags"),
        ("llm-d-0.9", "router.plugins"),
        ("llm-d-0.9", "picker.build"),
        ("llm-d-0.9", "picker.image"),
        ("llm-d-0.9", "picker.metrics_scheme_flag"),
        ("llm-d-0.9", "disaggregation.sidecar.image"),
        ("llm-d-0.9", "engine.gpu.version"),
        ("llm-d-0.9", "charts.kserve.version"),
        ("llm-d-0.9", "charts.legacy_inference_pool"),
        ("llm-d-0.6", "router.mapping_label"),
        ("llm-d-0.9", "picker.config_api"),
        ("llm-d-0.9", "picker.objective_groups"),
        ("llm-d-0.9", "picker.metric_prefix"),
        ("llm-d-0.9", "engine.gpu.image"),
        ("llm-d-0.9", "disaggregation.sidecar.engine_port_flag"),
        ("gaie-1.5", "picker.command"),
        ("gaie-1.5", "router.flags"),
        ("llm-d-0.6", "disaggregation.sidecar.connector_flag"),
        ("llm-d-0.6", "role_of_both"),
        ("llm-d-0.6", "engine.gpu.version"),
        ("llm-d-0.10", "engine.exceptions"),
        ("rhaii-3.4", "engine.gpu.image"),
    )

    def test_a_failure_that_upstream_knows_is_found_on_its_accelerator_only(self) -> None:
        fault = load_images().faults[0]
        assert fault.covers("vllm/vllm-tpu:v0.29.0", "0.29.0")
        assert fault.covers("example.com/mirror/vllm/vllm-tpu:v0.27.0", "0.27.0")
        assert not fault.covers("vllm/vllm-tpu:v0.26.0", "0.26.0")
        assert not fault.covers("vllm/vllm-openai:v0.29.0", "0.29.0")

    def test_the_version_in_an_image_is_its_tag_or_a_fact(self) -> None:
        images = load_images()
        assert images.vllm_in("vllm/vllm-openai:v0.26.0-cu129") == "0.26.0"
        assert images.vllm_in("ghcr.io/llm-d/llm-d-cuda:v0.6.0") == "0.17.1"
        assert images.vllm_in("example.com/own/engine:v0.26.0") is None

    @pytest.mark.parametrize(("name", "field"), CHANGES, ids=[".".join(change) for change in CHANGES])
    def test_it_turns_a_cell_red(self, name: str, field: str) -> None:
        before = CATALOG.releases[predecessors.predecessors(CATALOG)[name]]
        [change] = [change for change in predecessors.changes(CATALOG.releases[name], before) if change.field == field]
        assert predecessors.judge(change, CATALOG, run=False).red

    def test_every_differing_plugin_turns_it_red(self) -> None:
        for name, count, red in predecessors.plugin_changes(CATALOG):
            if CATALOG.releases[name].picker.image in load_upstream().programs:
                assert red == count, name

    def test_the_page_lists_every_difference(self) -> None:
        text = predecessors.PAGE.read_text(encoding="utf-8")
        differences = [
            change
            for name, before in predecessors.predecessors(CATALOG).items()
            for change in predecessors.changes(CATALOG.releases[name], CATALOG.releases[before])
        ]
        missing = [change for change in differences if f"| {change.release} | {change.field} |" not in text]
        assert missing == [], "python -m llm_d_gke.maintenance.conformance.predecessors"
        red = [line for line in text.splitlines() if line.startswith("| ") and not line.endswith("|  |")]
        assert len(red) >= 20


@pytest.mark.parametrize("name", CATALOG.releases)
def test_every_stack_is_planned_or_refused_with_findings(name: str) -> None:
    """On every release, and never a crash."""
    for stack in project_stacks():
        planned, findings = _planned(name, stack)
        if planned is None:
            assert findings, stack
            assert all(finding.id and finding.fix for finding in findings), stack
        else:
            assert planned.release == name, stack
            image = CATALOG.releases[name].router.image
            assert planned.router is None or rendered({stack: planned}, image), stack


def _planned(name: str, stack: str) -> tuple[StackPlan | None, Sequence[Finding]]:
    try:
        return plan(name, stack), ()
    except RefusedError as refused:
        return None, refused.findings


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"kserve_keeps_scale": False}, "keeps_scale is False, and True in the source of kserve-llmisvc-resources"),
        ({"kserve_finalizes_presets": False}, "finalizes_presets is False, and True in the source"),
        ({"leader_worker_set": {"kinds": "upgraded"}}, "kinds is upgraded, and once in the source of lws 0.9.0"),
        ({"leader_worker_set": {"version": "0.11.1"}}, "kinds is once for lws 0.11.1, which was not read"),
        ({"kserve_crds": {"deletes_kinds": False}}, "deletes_kinds is False, and True in the source"),
    ],
    ids=str,
)
def test_facts_about_charts_are_those_of_their_sources(changes: dict[str, Any], line: str) -> None:
    release = catalog.load().releases["llm-d-0.9"]
    charts = release.charts
    for name, value in changes.items():
        changed = getattr(charts, name).model_copy(update=value) if isinstance(value, dict) else value
        charts = charts.model_copy(update={name: changed})
    [cell] = [cell for cell in cells_of(release.model_copy(update={"charts": charts}), {}) if cell.part == "charts"]
    assert any(line in text for text in cell.lines)


def test_a_role_is_stated_only_where_a_picker_reads_it() -> None:
    release = catalog.load().releases["gaie-1.5"].model_copy(update={"role_of_both": "prefill-decode"})
    lines = [line for cell in cells_of(release, {}) for line in cell.lines]
    assert "role prefill-decode is stated, and no picker of the release has a filter by role" in lines


def test_a_process_of_its_own_can_import_what_it_runs() -> None:
    """A spawned process does not import the `__main__` of a package, so that nothing in it can run there."""
    functions = [value for value in vars(conformance_main).values() if inspect.isfunction(value)]
    own = {function.__name__ for function in functions if function.__module__ == conformance_main.__name__}
    assert own == {"main"}
