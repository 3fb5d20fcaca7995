"""Real parts judge what is rendered for them, and a value of another version turns a cell red."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.upstream import load_upstream
from operations.adopt.parts import images
from operations.conformance import kinds, predecessors, programs, record
from operations.conformance.rendered import Rendered, plan, plans_of, rendered, shape, stacks
from planning import Finding, RefusedError, StackPlan
from rehearsal.toolchain.build import binaries

KNOWN = catalog.load()
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
        release = KNOWN.releases[name]
        only = ("gpu", "prefix-cache-tpu", "multi-model-gpu", "disaggregated-gpu")
        plans = plans_of(name, only=only)
        wanted = {part: image for part, image in images(release).items() if part in QUICK[name]}
        monkeypatch.setattr(record, "images", lambda _: wanted)
        runs = {run.part: run for run in record.program_runs(release, plans, lambda _: None, pinned_only=True)}
        assert runs.keys() == QUICK[name]
        assert {part: run.lines for part, run in runs.items() if run.refused} == {}

    @pytest.mark.parametrize(
        ("args", "config", "said"),
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
        self, picker: Path, args: tuple[str, ...], config: dict[str, Any], said: str
    ) -> None:
        [line] = programs.refusals(picker, PICKER, [Rendered(args, config)])
        assert said in line
        assert record.Run("r", "p", "j", "g", (line,), "s", "d").refused

    def test_a_deprecated_flag_is_a_line(self, picker: Path) -> None:
        given = [Rendered((*ARGS, "--model-server-metrics-scheme=https"), CONFIG)]
        lines = tuple(programs.refusals(picker, PICKER, given))
        assert lines == ("flag --model-server-metrics-scheme is deprecated",)
        assert not record.Run("r", "p", "j", "g", lines, "s", "d").refused

    def test_the_label_of_mappings_is_in_the_router(self) -> None:
        router = binaries(["payload-processor"], lambda _: None)["payload-processor"]
        own, before = (KNOWN.releases[name].router.mapping_label for name in ("llm-d-0.9", "llm-d-0.6"))
        assert programs.has_word(router, own)
        assert not programs.has_word(router, before)


class TestShape:
    """A result holds until flags, plugins or fields change, not until a number does."""

    GIVEN = Rendered(("--port=1", "--name=a"), {"plugins": [{"type": "queue-scorer", "weight": 1}]})

    def test_values_do_not_change_it(self) -> None:
        other = Rendered(("--name=b", "--port=2"), {"plugins": [{"type": "queue-scorer", "weight": 3}]})
        assert shape([self.GIVEN]) == shape([other])

    @pytest.mark.parametrize(
        "other",
        [
            Rendered(("--port=1", "--names=a"), GIVEN.config),
            Rendered(GIVEN.args, {"plugins": [{"type": "lora-affinity-scorer", "weight": 1}]}),
            Rendered(GIVEN.args, {"plugins": [{"type": "queue-scorer", "weights": 1}]}),
        ],
        ids=["flag", "plugin", "field"],
    )
    def test_names_do(self, other: Rendered) -> None:
        assert shape([self.GIVEN]) != shape([other])


class TestKinds:
    """A strict API server, without one."""

    CRD: dict[str, Any] = {
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "apiVersion": {"type": "string"},
                                "kind": {"type": "string"},
                                "metadata": {"type": "object"},
                                "spec": {
                                    "type": "object",
                                    "required": ["size"],
                                    "properties": {
                                        "size": {"type": "integer", "minimum": 1},
                                        "port": {"anyOf": [], "x-kubernetes-int-or-string": True},
                                        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                    },
                                },
                            },
                        }
                    },
                },
                {"name": "v1beta1", "served": True, "deprecated": True, "schema": {"openAPIV3Schema": {}}},
                {"name": "v1alpha1", "served": False, "schema": {"openAPIV3Schema": {}}},
            ],
        }
    }

    @pytest.mark.parametrize(
        ("version", "spec", "said"),
        [
            ("v1", {"size": 1, "port": "http", "free": {"a": 1}, "labels": {"a": "b"}}, None),
            ("v1", {"size": 1, "sizes": 2}, "'sizes' was unexpected"),
            ("v1", {"size": "one"}, "'one' is not of type 'integer'"),
            ("v1", {"size": 0}, "0 is less than the minimum of 1"),
            ("v1", {}, "'size' is a required property"),
            ("v1", {"size": 1, "labels": {"a": 1}}, "1 is not of type 'string'"),
            ("v1beta1", {}, "is deprecated"),
            ("v1alpha1", {}, "is not served"),
            ("v2", {}, "is not served"),
        ],
    )
    def test_what_it_refuses(self, version: str, spec: dict[str, Any], said: str | None) -> None:
        manifest = {"apiVersion": f"example.com/{version}", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec}
        lines = [*kinds.refusals([self.CRD], [manifest])]
        assert [bool(said) and str(said) in line for line in lines] == ([True] if said else [])


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
    )

    @pytest.mark.parametrize(("name", "field"), CHANGES, ids=[".".join(change) for change in CHANGES])
    def test_it_turns_a_cell_red(self, name: str, field: str) -> None:
        before = KNOWN.releases[predecessors.PREDECESSORS[name]]
        [change] = [one for one in predecessors.changes(KNOWN.releases[name], before) if one.field == field]
        assert predecessors.judge(change, KNOWN, run=False).red

    def test_every_differing_plugin_turns_it_red(self) -> None:
        for name, count, red in predecessors.plugin_changes(KNOWN):
            if KNOWN.releases[name].picker.image in load_upstream().programs:
                assert red == count, name

    def test_the_page_lists_every_difference(self) -> None:
        text = predecessors.PAGE.read_text(encoding="utf-8")
        differences = [
            change
            for name, before in predecessors.PREDECESSORS.items()
            for change in predecessors.changes(KNOWN.releases[name], KNOWN.releases[before])
        ]
        missing = [change for change in differences if f"| {change.release} | {change.field} |" not in text]
        assert missing == [], "python -m operations.conformance.predecessors"
        red = [line for line in text.splitlines() if line.startswith("| ") and not line.endswith("|  |")]
        assert len(red) >= 20


@pytest.mark.parametrize("name", KNOWN.releases)
def test_every_stack_is_planned_or_refused_with_findings(name: str) -> None:
    """On every release, and never a crash."""
    for stack in stacks():
        planned, findings = _planned(name, stack)
        if planned is None:
            assert findings, stack
            assert all(finding.id and finding.fix for finding in findings), stack
        else:
            assert planned.release == name, stack
            image = KNOWN.releases[name].router.image
            assert planned.router is None or rendered({stack: planned}, image), stack


def _planned(name: str, stack: str) -> tuple[StackPlan | None, Sequence[Finding]]:
    try:
        return plan(name, stack), ()
    except RefusedError as refused:
        return None, refused.findings
