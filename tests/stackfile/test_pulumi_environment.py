"""Environments of Pulumi ESC, opened by a program that stands for `pulumi`: it prints what the real one would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.stackfile import StackConfig, StackFileError, load
from llm_d_gke.stackfile.assumptions import load_assumed

STACK = """
environment: [chat/prod, shared]
config:
  llm-d:location: us-east1-c
  llm-d:cluster: {privateNodes: true}
  llm-d:registry: {server: a.example, password: {secure: AAABbbb}}
"""
# As pulumi lists them: defaults of Pulumi.yaml too, objects merged, and nothing of a value that holds a secret.
LISTED = {
    "llm-d:location": {"value": "us-east1-c", "secret": False},
    "llm-d:paused": {"value": "", "secret": False},
    "llm-d:project": {"value": "chat-production", "secret": False},
    "llm-d:cluster": {
        "value": '{"channel":"stable","privateNodes":true}',
        "objectValue": {"channel": "stable", "privateNodes": True},
        "secret": False,
    },
    "llm-d:registry": {"secret": True},
    "llm-d:huggingFace": {"secret": True},
}
Reader = Callable[[str, int], StackConfig]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    def read(script: str, code: int) -> StackConfig:
        programs = tmp_path / "programs"
        programs.mkdir()
        pulumi = programs / "pulumi"
        pulumi.write_text(f"#!/bin/sh\n{script}\nexit {code}\n", encoding="utf-8")
        pulumi.chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        return _load(tmp_path)

    return read


def _load(folder: Path, stack: str = STACK) -> StackConfig:
    (folder / "Pulumi.yaml").write_text("name: llm-d\nruntime: python\nconfig: {paused: ''}", encoding="utf-8")
    (folder / "Pulumi.s.yaml").write_text(stack, encoding="utf-8")
    return load(folder, "s", {"llm-d:cluster.version": "1.34"})


def test_its_values_are_the_programs(read: Reader) -> None:
    config = read(
        f"""test "$*" = "config --json --open --non-interactive --stack s" && echo '{json.dumps(LISTED)}'""", 0
    )
    settings: dict[str, Any] = config.settings()
    assert settings["project"] == "chat-production"
    assert settings["location"] == "us-east1-c"
    # The command line's value comes last.
    assert settings["cluster"] == {"channel": "stable", "privateNodes": True, "version": "1.34"}
    assert "paused" not in settings
    # The file's own secret counts as set; one of the environment is named.
    assert config.encrypted() == {"registry"}
    assert config.notes == ("environment (chat/prod, shared): secret there, and missing here: llm-d:huggingFace",)


def test_a_refusal_is_noted_in_pulumis_words(read: Reader) -> None:
    config = read("echo 'error: backend does not support environments' >&2", 255)
    assert config.settings()["location"] == "us-east1-c"
    [note] = config.notes
    assert note.startswith("environment (chat/prod, shared): its values are missing here")
    assert note.endswith("error: backend does not support environments")


def test_without_pulumi_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [note] = _load(tmp_path, "environment: {values: {pulumiConfig: {a: b}}}\nconfig: {llm-d:location: a-b1-c}").notes
    assert note.startswith("environment (defined in the file)")
    assert note.endswith("pulumi is not installed")


def test_commands_say_once_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    _load(tmp_path, "environment: [team]\nconfig: {llm-d:location: a-b1-c}")
    for _ in range(2):
        load_assumed("s", root=tmp_path)
    lines = capsys.readouterr().err.splitlines()
    assert "\n".join(lines).count("s: environment (team): its values are missing here") == 1
    assert max(map(len, lines)) <= 80


def test_one_environment_is_a_list_too(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match=r"Write environment: \[chat/prod\]$"):
        _load(tmp_path, STACK.replace("[chat/prod, shared]", "chat/prod"))
