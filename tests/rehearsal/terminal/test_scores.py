"""`why`: a picker's log as the reasons of its choices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.cli.drawing import drawn
from llm_d_gke.rehearsal import commands
from llm_d_gke.rehearsal.commands import why
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.terminal.scores import choices, table, weighted, weights_of


def line(message: str, request: str = "r1", **fields: Any) -> str:
    return json.dumps({"level": "debug", "msg": message, "x-request-id": request, **fields})


def scored(plugin: Any, pod: str, score: float, request: str = "r1") -> str:
    return line("Calculated score", request, plugin=plugin, endpoint={"name": pod, "namespace": "n"}, score=score)


LOG = [
    "not JSON at all",
    json.dumps({"msg": "Calculated score", "score": 1}),
    line("Request received", incomingModelName="acme/chat"),
    scored("queue-scorer/queue-scorer", "chat-a", 1.0),
    scored("queue-scorer/queue-scorer", "chat-b", 0.5),
    "chat-epp-1_epp  " + scored({"Type": "prefix-cache-scorer", "Name": "prefix-cache-scorer"}, "chat-a", 0.0),
    scored({"Type": "prefix-cache-scorer", "Name": "prefix-cache-scorer"}, "chat-b", 1.5),
    line(
        "Completed running picker plugin successfully",
        result={"TargetEndpoints": [{"Metadata": {"NamespacedName": {"Name": "chat-b"}}}]},
    ),
    line("Request handled", endpoint="10.0.0.2:8000"),
    scored("queue-scorer/queue-scorer", "chat-a", 1.0, "r2"),
]


def test_scores_are_told_apart_by_request_scorer_and_endpoint() -> None:
    first, second = choices(LOG)
    assert first.scores == {
        "queue-scorer": {"chat-a": 1.0, "chat-b": 0.5},
        "prefix-cache-scorer": {"chat-a": 0.0, "chat-b": 1.5},
    }
    assert (first.model, first.chosen, first.address) == ("acme/chat", ["chat-b"], "10.0.0.2:8000")
    assert (second.request, second.endpoints) == ("r2", ["chat-a"])


def test_the_sum_weighs_and_bounds_scores_as_the_picker_does() -> None:
    first = choices(LOG)[0]
    weights = {"queue-scorer": 2.0, "prefix-cache-scorer": 3.0}
    assert weighted(first, "chat-a", weights) == 2.0
    assert weighted(first, "chat-b", weights) == 4.0


def test_long_names_of_pods_are_folded_into_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    pod = "qwen2-5-3b-instruct-kserve-568bd78769-bhlrh-rank-0"
    [choice] = choices([scored(f"scorer-{number}/x", pod, 1.0) for number in range(4)])
    choice.chosen.append(pod)
    print(drawn(table(choice, {})))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line.endswith(" ")] == []
    assert pod in "".join(line[6:40].strip() for line in lines)


def test_weights_are_those_of_the_configuration() -> None:
    plugins = [{"pluginRef": "queue-scorer", "weight": 2}, {"pluginRef": "max-score-picker"}]
    assert weights_of({"schedulingProfiles": [{"name": "default", "plugins": plugins}]}) == {"queue-scorer": 2.0}


def test_a_log_of_gke_is_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "picker.log"
    log.write_text("\n".join(LOG), encoding="utf-8")
    assert why("prefix-cache-gpu", "r1", log, 3) == 0
    text = capsys.readouterr().out
    assert "queue-scorer x 2" in text
    assert "*   chat-b" in text
    assert text.index("chat-b") < text.index("chat-a")
    assert "r2" not in text


def test_a_log_without_scores_names_the_setting(tmp_path: Path) -> None:
    log = tmp_path / "picker.log"
    log.write_text(line("EPP received request"), encoding="utf-8")
    with pytest.raises(RehearsalError, match=r"picker\.verbosity: 4"):
        why("prefix-cache-gpu", None, log, 3)


def test_a_picker_that_the_next_up_creates_has_no_log_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "picker_lines", lambda *_: [])
    monkeypatch.setattr(commands, "diff_settings", lambda *_: iter(["llm-d:models[0].id: a -> b"]))
    with pytest.raises(RehearsalError, match=r"llm-d:models\[0\]\.id: a -> b\): make up STACK=prefix-cache-gpu"):
        why("prefix-cache-gpu", None, None, 3)


def test_a_request_that_the_log_lacks_is_named(tmp_path: Path) -> None:
    log = tmp_path / "picker.log"
    log.write_text("\n".join(LOG), encoding="utf-8")
    with pytest.raises(RehearsalError, match="no request r9"):
        why("prefix-cache-gpu", "r9", log, 3)


def test_a_stack_that_is_not_up_gets_the_command_for_gke() -> None:
    with pytest.raises(
        RehearsalError,
        match=r"--since=5m \| bin/llmd why kserve-prefix-cache-tpu --log -",
    ):
        why("kserve-prefix-cache-tpu", None, None, 3)
