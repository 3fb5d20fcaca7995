"""The HTML report in a real browser, and what must hold for its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.operations.report.load import load_facts
from llm_d_gke.operations.report.page import page
from llm_d_gke.stackfile import PROJECT_ROOT
from tests.operations.browser import Looked, look

STACKS = ("gpu", "tpu", "multi-model-gpu", "disaggregated-gpu", "kserve-istio-prefix-cache-tpu")
WIDTHS = {"phone": 390, "desktop": 1280}

REFUSED = {"llm-d:models[0].id": "Qwen/Qwen2.5-7B-Instruct"}
WRONG = {"llm-d:models[0].maxModelLength": "1"}


def document(stack: str, changes: Mapping[str, str] | None = None) -> str:
    return page(load_facts(PROJECT_ROOT, stack, changes))


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    documents = {stack: document(stack) for stack in STACKS}
    documents |= {"refused": document("gpu", REFUSED), "wrong": document("gpu", WRONG)}
    frames = {f"{name} {size}": (text, width) for name, text in documents.items() for size, width in WIDTHS.items()}
    return look(frames, tmp_path_factory.mktemp("browser"))


def frames(looked: Looked, *, planned: bool = True) -> list[tuple[str, Mapping[str, Any]]]:
    drawn = [(name, frame) for name, frame in looked.frames.items() if not (planned and name.startswith("wrong"))]
    assert len(drawn) == len(WIDTHS) * (len(STACKS) + (1 if planned else 2))
    return drawn


class TestInABrowser:
    def test_no_page_scrolls_sideways(self, looked: Looked) -> None:
        for name, frame in frames(looked, planned=False):
            assert frame["wide"] <= frame["room"], name
            assert frame["beyond"] == [], name

    def test_the_console_is_silent(self, looked: Looked) -> None:
        assert looked.console == ()

    def test_each_width_has_its_own_topology(self, looked: Looked) -> None:
        assert {name: frame["topologies"] for name, frame in frames(looked)} == {name: 1 for name, _ in frames(looked)}

    def test_every_model_has_a_memory_bar_that_is_full(self, looked: Looked) -> None:
        for name, frame in frames(looked):
            assert len(frame["bars"]) == (2 if name.startswith(("multi", "disaggregated")) else 1), name
            for bar in frame["bars"]:
                assert len(bar) == 4
                assert sum(bar) == pytest.approx(1, abs=0.01), name

    def test_a_bar_is_to_scale(self, looked: Looked) -> None:
        """gemma-2b on a T4: 4.67 GiB of weights in 14.56."""
        for size in WIDTHS:
            ((weights, _, cache, _),) = looked.frames[f"gpu {size}"]["bars"]
            assert weights == pytest.approx(4.67 / 14.56, abs=0.01)
            assert cache == pytest.approx(6.61 / 14.56, abs=0.01)

    def test_every_model_has_its_curves(self, looked: Looked) -> None:
        for name, frame in frames(looked):
            models = 2 if name.startswith("multi") else 0 if name.startswith("refused") else 1
            assert len(frame["curves"]) == 2 * models, name
            assert all(length > 300 for length in frame["curves"]), name

    def test_no_words_leave_their_drawing_or_become_unreadable(self, looked: Looked) -> None:
        for name, frame in frames(looked):
            assert frame["lost"] == [], name
            assert frame["smallest"] >= 9, name

    def test_it_follows_the_readers_choice_of_dark(self, looked: Looked, tmp_path: Path) -> None:
        dark = look({"gpu": (document("gpu"), 1280)}, tmp_path, dark=True)
        assert looked.frames["gpu desktop"]["paper"] == "rgb(255, 255, 255)"
        assert dark.frames["gpu"]["paper"] == "rgb(18, 22, 27)"


class TestItsText:
    @pytest.mark.parametrize("stack", STACKS)
    def test_nothing_is_fetched_and_nothing_runs(self, stack: str) -> None:
        text = document(stack)
        assert not re.search(r"<script|@import|url\(|\ssrc=|https?://", text)
        assert re.findall(r'href="([^"]*)"', text) == ["data:,"]

    @pytest.mark.parametrize("stack", ["disaggregated-gpu", "multi-model-gpu"])
    def test_no_name_is_cut(self, stack: str) -> None:
        text = document(stack)
        assert "…" not in text
        for model in load_facts(PROJECT_ROOT, stack).plan.models:  # type: ignore[union-attr]
            assert text.count(f">{model.name}</text>") == 2

    def test_what_a_stack_file_says_is_text(self) -> None:
        text = document("gpu", {"llm-d:models[0].servedName": "<img src=x onerror=alert(1)>"})
        assert "<img" not in text
        assert "&lt;img src=x" in text

    def test_it_holds_every_finding(self) -> None:
        changes = {**REFUSED, "llm-d:accelerator.nodes.max": "1", "llm-d:models[0].replicas": "3"}
        facts = load_facts(PROJECT_ROOT, "gpu", changes)
        text = document("gpu", changes)
        assert len(facts.findings) >= 3
        assert text.count('<article class="finding') == len(facts.findings)
        assert "refused</span>" in text

    def test_settings_that_make_no_plan_still_make_a_report(self) -> None:
        text = document("gpu", WRONG)
        assert "has no such setting" in text
        assert "Topology" not in text

    def test_it_says_what_was_assumed(self) -> None:
        assert "llm-d:project is not set" in document("gpu")

    @pytest.mark.parametrize(
        ("stack", "text"),
        [
            ("gpu", "<b>$0.88</b><small>an hour, the same as running"),
            ("autoscaled-gpu", "<b>$0.88</b><small>an hour, with the fewest replicas"),
        ],
    )
    def test_idle_is_the_cost_of_the_replicas_that_stay(self, stack: str, text: str) -> None:
        assert f"<span>idle</span>{text}" in document(stack)

    def test_no_secret_is_in_it(self) -> None:
        assert "hf_" not in document("gpu")
