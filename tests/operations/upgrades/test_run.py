"""The steps run in order, are verified one by one, and stop at the first failure with the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from llm_d_gke.operations.upgrades import command
from llm_d_gke.operations.upgrades.run import Ended, StepError, failures, needs_order, run_steps, way_back
from llm_d_gke.operations.verify.result import Outcome
from llm_d_gke.planning.upgrades.step import Loss, Part, Step, UpgradePlan
from tests.stacks import graph_of

SETTINGS = {"llm-d:release": "new"}


def step(name: str, settings: Mapping[str, str] | None = None, by_hand: str | None = None) -> Step:
    return Step(
        name=name,
        title=name,
        changes=("something",),
        method="somehow",
        loss=Loss.NOTHING,
        consequence="nothing",
        back=f"undo {name}",
        parts=(Part(type="t", name=name),),
        settings=settings or {},
        by_hand=by_hand,
    )


def plan(*steps: Step) -> UpgradePlan:
    return UpgradePlan(stack="gpu", before="old", after="new", steps=steps)


def test_a_check_may_pass_only_once_a_controller_has_replaced_its_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    surplus = SimpleNamespace(
        id="replicas", outcome=Outcome.FAILED, result=SimpleNamespace(evidence="2 of 1 ready", next_command="wait")
    )
    results = [SimpleNamespace(checks=[surplus]), SimpleNamespace(checks=[])]
    monkeypatch.setattr(
        "llm_d_gke.operations.upgrades.run.verify",
        lambda *_, **__: results.pop(0) if results else SimpleNamespace(checks=[surplus]),
    )
    live: Any = None
    assert failures(live, patience=30, whole=False) == []
    assert failures(live, patience=0, whole=False) == ["replicas: 2 of 1 ready (next: wait)"]


class Recorder:
    """A place that notes what is done to it; `broken` names the step whose update fails, or whose check does."""

    def __init__(self, *, fails: str = "", unmet: str = "") -> None:
        self.notes: list[str] = []
        self._fails, self._unmet, self._last = fails, unmet, ""

    def alone(self) -> AbstractContextManager[None]:
        return nullcontext()

    def update(self, settings: Mapping[str, str], step: Step) -> None:
        self._last = step.name
        paused = settings.get("llm-d:paused", "false")
        self.notes.append(f"update {step.name} {settings['llm-d:release']} paused={paused}")
        if step.name == self._fails:
            raise StepError("no quota")

    def free_presets(self, settings: Mapping[str, str], step: Step) -> None:
        self.notes.append(f"free {', '.join(step.frees)} {settings['llm-d:release']}")

    def verify(self, settings: Mapping[str, str], *, whole: bool) -> Sequence[str]:
        assert settings == SETTINGS
        self.notes.append(f"verify {'all' if whole else 'answers'}")
        return ["chat: 503"] if self._last == self._unmet else []

    def applied_release(self) -> str | None:
        return "old"

    def record(self, plan: UpgradePlan) -> None:
        self.notes.append(f"record {plan.before}")

    def last_upgrade(self, current: str) -> tuple[str, str] | None:
        return "old", current


class Broken(Recorder):
    """A stack that does not serve, and where the first update fails."""

    def verify(self, settings: Mapping[str, str], *, whole: bool) -> Sequence[str]:
        self.notes.append(f"verify {settings['llm-d:release']}{' all' * whole}")
        return ["chat: 503"]

    def applied_release(self) -> str | None:
        return None


def run(place: Recorder, *steps: Step, after: str | None = None) -> Ended:
    return run_steps(plan(*steps), place, SETTINGS, say=lambda _: None, after=after)


@pytest.mark.parametrize("finished", [{"open-pickers"}, {"servers"}])
def test_a_step_with_the_release_before_does_not_bring_it_back(finished: set[str]) -> None:
    """Else a second try, or the way back from a failed upgrade, would begin with the release that it leaves."""
    place, opened = Recorder(), step("open-pickers", {"llm-d:release": "old"})
    ended = run_steps(plan(opened, step("servers")), place, SETTINGS, say=lambda _: None, finished=finished)
    assert ended.done == ("open-pickers", "servers")
    assert place.notes == ["update servers new paused=false", "verify all"]


def test_each_step_is_verified_and_the_last_one_wholly() -> None:
    place = Recorder()
    ended = run(place, step("picker"), step("servers"), step("rest"))
    assert ended == Ended(done=("picker", "servers", "rest"))
    assert place.notes == [
        "update picker new paused=false",
        "verify answers",
        "update servers new paused=false",
        "verify answers",
        "update rest new paused=false",
        "verify all",
    ]


def test_a_stopped_stack_is_not_asked() -> None:
    """Between the stop and the next step no server runs, on purpose."""
    place = Recorder()
    run(place, step("pause", {"llm-d:paused": "true"}), step("servers"))
    assert place.notes == ["update pause new paused=true", "update servers new paused=false", "verify all"]


@pytest.mark.parametrize(
    ("place", "reason"), [(Recorder(fails="servers"), "no quota"), (Recorder(unmet="servers"), "chat: 503")]
)
def test_the_first_failure_stops_and_says_how_to_go_back(place: Recorder, reason: str) -> None:
    steps = (step("picker"), step("servers"), step("rest"))
    ended = run(place, *steps)
    assert ended.done == ("picker",)
    assert ended.reason == reason
    assert not [note for note in place.notes if "rest" in note]
    lines = way_back(plan(*steps), ended)
    assert lines[0] == f"stopped in step servers: {reason}"
    assert "go back:   make rollback STACK=gpu" in lines
    assert lines[-2:] == ["  servers: undo servers", "  picker: undo picker"]
    lines = way_back(replace(plan(*steps), back=True), ended)
    assert lines[3] == "  make rollback STACK=gpu"
    assert lines[4].startswith("go back:   make upgrade STACK=gpu TO=old")


def test_each_failed_check_has_a_line_of_its_own() -> None:
    ended = Ended(done=(), stopped=step("servers"), reason="pools: gone\nchat: 503", unmet=True)
    assert way_back(plan(step("servers")), ended)[:3] == ["stopped in step servers: pools: gone", "chat: 503", ""]


@pytest.mark.parametrize(
    ("place", "command_line"),
    [
        (Recorder(fails="servers"), "  make upgrade STACK=gpu TO=new"),
        (Recorder(unmet="servers"), "  make upgrade STACK=gpu TO=new ARGS=--unverified"),
    ],
)
def test_only_a_stack_that_does_not_serve_is_tried_again_unverified(place: Recorder, command_line: str) -> None:
    steps = (step("servers"),)
    assert command_line in way_back(plan(*steps), run(place, *steps))


def test_a_stack_that_does_not_serve_is_not_upgraded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Broken()
    monkeypatch.setattr(command, "_updater", lambda *_: place)
    monkeypatch.setattr(command, "open_stack", lambda *_: nullcontext(SimpleNamespace(plan=None, cluster=None)))
    monkeypatch.setattr(command, "finished_steps", lambda *_: frozenset())
    begin = partial(command.upgrade, "gpu", "llm-d-0.10", {}, command.Run(target="rehearsal"))
    assert begin() == 1
    assert place.notes == ["verify llm-d-0.9"]
    printed = capsys.readouterr().out
    assert "nothing was changed: gpu does not serve with llm-d-0.9" in printed
    assert "chat: 503" in printed
    assert begin(unverified=True) == 1
    assert [note.split()[0] for note in place.notes[1:]] == ["record", "update", "verify"]


def test_a_step_by_hand_stops_until_it_is_done() -> None:
    steps = (step("picker"), step("kinds-lws", by_hand="kubectl apply"), step("rest"))
    place = Recorder()
    ended = run(place, *steps)
    assert ended.done == ("picker",)
    assert "--after kinds-lws" in "\n".join(way_back(plan(*steps), ended))
    assert run(place, *steps, after="kinds-lws").done == ("picker", "kinds-lws", "rest")
    assert place.notes[-2:] == ["update rest new paused=false", "verify all"]


def test_a_finished_upgrade_needs_no_way_back() -> None:
    assert way_back(plan(step("rest")), run(Recorder(), step("rest"))) == []


def test_what_depends_on_a_resource_that_leaves_is_written_in_order() -> None:
    graph = graph_of("gpu")
    namespace = next(resource.urn for resource in graph if resource.type == "kubernetes:core/v1:Namespace")
    left = {"urn": "urn:pulumi:gpu::llm-d::kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition::left"}
    state: list[dict[str, Any]] = [left, *({"urn": resource.urn} for resource in graph)]
    assert not needs_order(graph, state)
    for edge in (
        {"dependencies": [left["urn"]]},
        {"propertyDependencies": {"spec": [left["urn"]]}},
        {"deletedWith": left["urn"]},
        {"provider": f"{left['urn']}::id"},
    ):
        assert needs_order(graph, [*state, {"urn": namespace, **edge}])


def test_a_step_that_frees_presets_updates_nothing() -> None:
    place = Recorder(unmet="none")
    freeing = replace(step("free-presets"), parts=(), frees=("chat", "kserve"))
    assert run_steps(plan(freeing, step("rest")), place, SETTINGS, say=lambda _: None).stopped is None
    assert place.notes == ["free chat, kserve new", "verify answers", "update rest new paused=false", "verify all"]
