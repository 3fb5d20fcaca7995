"""A rehearsed stack keeps its release: only the picker is exchanged, and only where its own is not available."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from llm_d_gke import catalog
from llm_d_gke.planning import StackPlan, plan_raw
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.toolchain import pickers
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig, project_stacks
from llm_d_gke.stackfile.model_files import model_files

OWN = catalog.load().releases["llm-d-0.9"].picker
STACKS = project_stacks()


@pytest.fixture(autouse=True)
def only_pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No picker of this machine: neither named nor built before."""
    monkeypatch.delenv("REHEARSAL_EPP", raising=False)
    monkeypatch.setenv("LLM_D_REHEARSAL_CACHE", str(tmp_path))


def planned(config: StackConfig, stack: str) -> StackPlan:
    values = config.settings()
    return plan_raw(stack, values, config.encrypted(), files=model_files(values))


def differing(first: object, second: object, path: str = "") -> Iterator[str]:
    """Paths at which two plans differ."""
    if is_dataclass(first) and type(first) is type(second):
        for field in (field for field in fields(first) if field.compare):
            yield from differing(getattr(first, field.name), getattr(second, field.name), f"{path}.{field.name}")
    elif isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        for index, (left, right) in enumerate(zip(first, second, strict=True)):
            yield from differing(left, right, f"{path}[{index}]")
    elif first != second:
        yield path


@pytest.mark.parametrize("stack", STACKS)
def test_only_the_picker_is_exchanged(stack: str) -> None:
    own = planned(load(PROJECT_ROOT, stack, own_release=True), stack)
    rehearsed = planned(load(PROJECT_ROOT, stack), stack)
    paths = set(differing(own, rehearsed))
    assert any(".picker.pod.image" in path for path in paths)
    closed = {path for path in paths if re.fullmatch(r"\.routes\[\d+\]\.rules\[\d+\]\.paths", path)}
    assert {path for path in paths - closed if ".picker" not in path and path != ".warnings"} == set()
    assert rehearsed.release == own.release


def test_an_image_of_the_users_is_said_not_to_be_pulled() -> None:
    image = "vllm/vllm-opnai:v0.99.0"
    assert any(image in note for note in load(PROJECT_ROOT, "gpu", {"models[0].image": image}).notes)
    assert not any("image" in note for note in load(PROJECT_ROOT, "gpu").notes)


def test_the_run_says_so_in_one_line() -> None:
    notes = load(PROJECT_ROOT, "gpu").notes
    about = [note for note in notes if note.startswith("picker:")]
    assert about == [
        "picker: v1.5.0 of gaie-1.5 runs instead of v0.10.0 of llm-d-0.9, which no Go module here provides;"
        " everything else is llm-d-0.9"
    ]


def test_paths_that_only_the_own_picker_takes_are_a_difference() -> None:
    def about(**changes: str) -> list[str]:
        notes = load(PROJECT_ROOT, "gpu", {key.replace("_", "."): value for key, value in changes.items()}).notes
        return [note for note in notes if note.startswith("request paths:")]

    assert about() == [
        "request paths: /v1/messages is closed here: picker v1.5.0 does not take requests for it, and v0.10.0 does"
    ]
    [added] = about(gateway_paths='["/v1/messages/count_tokens", "/v1/rerank"]')
    assert "/v1/messages, /v1/messages/count_tokens are closed here" in added
    assert about(release="gaie-1.5") == []


@pytest.mark.parametrize(
    ("stack", "overrides", "release"),
    [
        ("gpu", {}, "gaie-1.5"),
        # gaie-1.5 can neither send prefill and decode to different pods nor follow KV events.
        ("disaggregated-gpu", {}, "llm-d-0.6"),
        ("gpu", {"llm-d:release": "llm-d-0.6"}, None),
        ("gpu", {"llm-d:release": "gaie-1.5"}, None),
        ("gpu", {"llm-d:release": "llm-d-0.10"}, "gaie-1.5"),
        ("gpu", {"llm-d:picker.release": "llm-d-0.6"}, "llm-d-0.6"),
    ],
)
def test_the_nearest_picker_that_can_serve_the_stack(
    stack: str, overrides: dict[str, str], release: str | None
) -> None:
    assert (load(PROJECT_ROOT, stack, overrides).settings().get("picker") or {}).get("release") == release


def test_a_picker_of_the_user_keeps_the_whole_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REHEARSAL_EPP", "/bin/true")
    config = load(PROJECT_ROOT, "gpu")
    assert "picker" not in config.settings()
    assert not [note for note in config.notes if note.startswith("picker:")]


class TestOwnModule:
    """The module of the release's own picker is tried before another one runs."""

    def test_a_refusal_is_remembered_for_a_day(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        questions: list[str] = []

        def served(question: str) -> bool:
            questions.append(question)
            return False

        monkeypatch.setattr(pickers, "_is_published", served)
        assert not pickers.obtain(OWN, lambda _: None)
        assert not pickers.obtain(OWN, lambda _: None)
        assert questions == ["github.com/llm-d/llm-d-router@v0.10.0"]
        memory = tmp_path / "published" / "refused.json"
        memory.write_text(json.dumps({questions[0]: time.time() - 90_000}))
        assert not pickers.obtain(OWN, lambda _: None)
        assert len(questions) == 2

    def test_a_served_one_is_built_and_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def build(module: str, package: str, version: str, target: Path) -> str | None:
            assert (module, package, version) == ("github.com/llm-d/llm-d-router", "cmd/epp", "v0.10.0")
            target.parent.mkdir(parents=True)
            target.write_text("#!/bin/sh\n")
            target.chmod(0o755)
            return None

        monkeypatch.setattr(pickers, "_is_published", lambda _: True)
        monkeypatch.setattr(pickers, "_build", build)
        config = load(PROJECT_ROOT, "gpu", available=lambda picker: pickers.obtain(picker, lambda _: None))
        assert "picker" not in config.settings()
        assert pickers.built(OWN.image) is not None

    def test_a_substitute_that_does_not_count_requests_goes_by_metrics(self) -> None:
        changes = {"llm-d:picker": '{"flowControl": true, "maxConcurrency": 8}'}
        config = load(PROJECT_ROOT, "gpu", changes, available=lambda picker: picker.image != OWN.image)
        assert config.settings()["picker"] == {"flowControl": True, "maxConcurrency": None, "release": "gaie-1.5"}
        assert "picker.maxConcurrency is left out: gaie-1.5 cannot have it" in config.notes

    def test_one_that_does_not_build_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lines: list[str] = []
        monkeypatch.setattr(pickers, "_is_published", lambda _: True)
        monkeypatch.setattr(pickers, "_build", lambda *_: "undefined: something")
        config = load(PROJECT_ROOT, "gpu", available=lambda picker: pickers.obtain(picker, lines.append))
        assert config.settings()["picker"]["release"] == "gaie-1.5"
        assert any("does not build: undefined: something" in line for line in lines)


def test_substitutes_are_pinned() -> None:
    """A release whose substitutes are not available either could not be rehearsed."""
    releases = catalog.load().releases
    for release in releases.values():
        for name in release.substitute_pickers or (release.name,):
            assert pickers.is_available(releases[name].picker), (release.name, name)
