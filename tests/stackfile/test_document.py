"""Faults of a stack file's YAML name the file, the line and what to write; values know their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_d_gke.stackfile import StackFileError, load
from llm_d_gke.stackfile.config import program_settings
from llm_d_gke.stackfile.document import line_of, lines_of

FAULTS = (
    ("tab", "config:\n  llm-d:accelerator:\n\ttype: nvidia-l4\n", 3, "indented with a tab", "type: nvidia-l4"),
    ("tab after spaces", "config:\n  llm-d:models:\n  \t- id: a/b\n", 3, "indented with a tab", "- id: a/b"),
    ("no blank", "config:\n  llm-d:models:\n    - id:a/b\n      replicas: 1\n", 3, "a blank is missing", "- id: a/b"),
    ("no colon", "config\n  llm-d:location: x\n", 1, "the colon after the key is missing", "config:"),
    ("no colon below", "config:\n  llm-d:cpuPool\n    diskGib: 50\n", 2, "the colon after the key", "llm-d:cpuPool:"),
    (
        "indent",
        "config:\n  llm-d:accelerator:\n  type: x\n    nodes: {max: 3}\n",
        4,
        "a key where none can stand",
        "alike",
    ),
    ("bracket", "config:\n  llm-d:accelerator: {type: x\n", 3, "a bracket that is not closed", "{a: 1, b: 2}"),
    ("quote", 'config:\n  llm-d:location: "x\n', 3, "a quotation mark that is not closed", "Close it"),
    ("twice", "config:\n  llm-d:paused: true\n  llm-d:paused: false\n", 3, "stands in line 2 already", "Keep one"),
    ("no-break space", "config:\n\u00a0 llm-d:location: x\n", 2, "a blank of another kind", "llm-d:location: x"),
    (
        "no-break space after the colon",
        "config:\n  llm-d:location:\u00a0x\n",
        2,
        "a blank of another kind",
        "location: x",
    ),
    (
        "typographic quotes",
        "config:\n  llm-d:location: \u201cx\u201d\n",
        2,
        "typographic quotation marks",
        'location: "x"',
    ),
    (
        "typographic quotes in a list",
        "config:\n  llm-d:models: [\u2018a\u2019]\n",
        2,
        "typographic quotation marks",
        '["a"]',
    ),
    (
        "quote of an earlier line",
        'config:\n  llm-d:location: "x\n  llm-d:paused: true\n',
        2,
        "is not closed",
        "Close it",
    ),
    (
        "bracket of an earlier line",
        "config:\n  llm-d:labels: {a: b\n  llm-d:paused: true\n",
        2,
        "is not closed",
        "{a: 1",
    ),
    ("equals sign", "config:\n  llm-d:project = x\n  llm-d:location: y\n", 2, "not an equals sign", "llm-d:project: x"),
    ("tab after the colon", "config:\n  llm-d:project:\tx\n", 2, "a tab stands after the colon", "llm-d:project: x"),
    ("tab between keys", "config:\n  llm-d:labels: {a: b,\tc: d}\n", 2, "the line has a tab", "{a: b, c: d}"),
    ("tab before a comment", "config:\n  llm-d:project: x\t# mine\n", 2, "the line has a tab", "x # mine"),
    ("full-width colon", "config:\n  llm-d:project\uff1a x\n", 2, "a full-width one", "llm-d:project: x"),
    ("unknown anchor", "config:\n  llm-d:models: *models\n", 2, "no line above has", "the value itself"),
    ("anchor inside of itself", "config:\n  llm-d:models: &m [{a: *m}]\n", 2, "refers to itself", "the inner value"),
    (
        "variable in brackets",
        "config:\n  llm-d:labels: {a: ${B}}\n",
        2,
        "placeholder of a template",
        "the value itself",
    ),
    ("dash without a blank", "config:\n  llm-d:models:\n    -id: a/b\n", 3, "missing after the dash", "- id: a/b"),
    ("conflict", "config:\n<<<<<<< HEAD\n  llm-d:paused: true\n", 2, "Git left a conflict", "Keep one"),
    ("two documents", "config:\n  llm-d:paused: true\n---\nconfig:\n", 3, "a second document", "one config:"),
    ("template", "config:\n  llm-d:project: {{ project }}\n", 2, "placeholder of a template", "the value itself"),
    ("tag", "config:\n  llm-d:project: !secret x\n", 2, "a tag with an exclamation mark", "without it"),
    ("backslash", 'config:\n  llm-d:project: "\\z"\n', 2, "a backslash in double quotes", "single quotes"),
    (
        "thousands in braces",
        "config:\n  llm-d:budget: {maxMonthlyUsd: $5,000}\n",
        2,
        "in braces a comma ends",
        "Write 5000,",
    ),
    ("base 8", "config:\n  llm-d:cpuPool: {diskGib: 0100}\n", 2, "to base 8", "Write 100"),
    ("base 60", "config:\n  llm-d:gateway: {timeoutSeconds: 5:00}\n", 2, "to base 60", "a plain number"),
    (
        "a commit of digits and e",
        "config:\n  llm-d:labels: {commit: 12e45}\n",
        2,
        "Pulumi reads 12e45 as a number",
        "quotes",
    ),
    (
        "a version that ends with zero",
        "config:\n  llm-d:cluster: {version: 1.30}\n",
        2,
        "YAML reads 1.30 as the number 1.3",
        'Put it into quotes: "1.30"',
    ),
    ("octal as Go writes it", "config:\n  llm-d:labels: {a: 0o17}\n", 2, "Pulumi reads 0o17 as a number", "quotes"),
    ("exponent without a sign", "config:\n  llm-d:labels: {a: 1.5e3}\n", 2, "Pulumi reads 1.5e3 as a number", "quotes"),
    ("config in capitals", "Config:\n  llm-d:paused: true\n", 1, "Config stands at the top level", "Write config:"),
    ("manifest", "apiVersion: apps/v1\nkind: Deployment\n", 1, "apiVersion stands", "a manifest of Kubernetes"),
    ("values of a chart", "replicaCount: 2\n", 1, "replicaCount stands", "Write config: above"),
    ("no config", "llm-d:location: x\n", 1, "stands at the top level", "Write config:"),
    ("twice below", "config:\n  llm-d:models:\n    - id: a\n      id: b\n", 4, "stands in line 3 already", "Keep one"),
)


@pytest.mark.parametrize(("text", "line", "what", "fix"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_says_where_what_and_how(tmp_path: Path, text: str, line: int, what: str, fix: str) -> None:
    (tmp_path / "Pulumi.s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StackFileError) as refused:
        load(tmp_path, "s")
    error_text = str(refused.value)
    assert error_text.startswith("Pulumi.s.yaml")
    assert f"line {min(line, len(text.splitlines()))}" in error_text
    assert what in error_text
    assert fix in error_text
    assert "<unicode string>" not in error_text


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    text = """llm-d:paused: true
config:
  llm-d:cluster: {version: 1.30}
  llm-d:location: “us-central1-a”
  llm-d:labels: {a: 010, b: 1e3}
  llm-d:location: x
  llm-d:models:
    - id: a/b
      id: a/c
      replicas: 010
llm-d:project: mine
"""
    (tmp_path / "Pulumi.s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StackFileError) as refused:
        load(tmp_path, "s")
    messages = str(refused.value).splitlines()
    assert [int(message.split("line ")[1].split(":")[0]) for message in messages] == [1, 3, 4, 5, 5, 6, 9, 11]
    assert messages[4].endswith("Write 10, or put it into quotes if it is text. The same in line 10")


def test_a_fault_of_every_line_is_said_once(tmp_path: Path) -> None:
    text = "config:\n  llm-d:accelerator:\n" + "".join(f"\tkey{number}: x\n" for number in range(3))
    (tmp_path / "Pulumi.s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StackFileError) as refused:
        load(tmp_path, "s")
    assert str(refused.value).endswith("Write   key0: x. The same in lines 4, 5")


@pytest.mark.parametrize("text", ["e3", "1e", "v1e3", "1.2.3", "12ef45", "_1e3", "1e3 tokens", "0x", "us-east1"])
def test_text_that_no_parser_takes_for_a_number_stays(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.s.yaml").write_text(f"config:\n  llm-d:labels: {{a: {text}}}\n", encoding="utf-8")
    assert load(tmp_path, "s").settings()["labels"] == {"a": text}


def test_another_encoding_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.s.yaml").write_bytes("config:\n  llm-d:labels: {team: m\xfcll}\n".encode("latin-1"))
    with pytest.raises(StackFileError, match=r"line 2: the file has another encoding than UTF-8\. Save it as UTF-8"):
        load(tmp_path, "s")


def test_a_key_without_namespace_is_the_projects(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.s.yaml").write_text("config:\n  location: us-central1-a\n", encoding="utf-8")
    assert load(tmp_path, "s").settings()["location"] == "us-central1-a"


@pytest.mark.parametrize("namespace", ["llmd", "llm_d", "LLM-D", "llm.d", "llm"])
def test_a_misspelled_namespace_is_kept_for_the_check(namespace: str) -> None:
    assert program_settings({f"{namespace}:location": "x", "gcp:zone": "y"}) == {f"{namespace}:location": "x"}


OWN = {"llm-d:project": "mine", "llm-d:location": "us-east4-a"}


@pytest.mark.parametrize(
    ("texts", "unread"),
    [
        ({"gcp:project": "mine", "gcp:region": "us-east4", "gcp:zone": "us-east4-a"}, {}),
        ({"gcp:project": "another"}, {"gcp:project": "another"}),
        ({"gcp:region": "us-east1", "gcp:zone": "us-east4-b"}, {"gcp:region": "us-east1", "gcp:zone": "us-east4-b"}),
        ({"gcp:disableGlobalProjectWarning": "true", "pulumi:tags": "{}"}, {}),
        ({"kubernetes:context": "prod", "kubernetes:namespace": ""}, {"kubernetes:context": "prod"}),
    ],
)
def test_what_providers_are_not_to_read_is_kept_for_the_check(texts: dict[str, str], unread: dict[str, str]) -> None:
    assert program_settings(OWN | texts) == {"project": "mine", "location": "us-east4-a"} | unread


def test_a_bases_project_goes_before_that_of_the_provider() -> None:
    read = program_settings({"gcp:project": "another"}, lambda own: {"project": "of-the-base", **own})
    assert read == {"project": "of-the-base", "gcp:project": "another"}


def test_lines_of_settings(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.s.yaml"
    path.write_text("config:\n  llm-d:models:\n    - id: a/b\n      load: {concurrency: 3}\n  location: x\n", "utf-8")
    lines = lines_of(path)
    assert line_of(lines, "llm-d:models[0].load.concurrency") == 4
    assert line_of(lines, "llm-d:models[0].replicas") == 3
    assert line_of(lines, "llm-d:location") == 5
    assert line_of(lines, "llm-d:project") is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("config:\n  llm-d:\n    location: x\n", "Write llm-d:location:"),
        ("config:\n  location: x\n  llm-d:location: y\n", "are the same setting"),
    ],
)
def test_two_ways_of_writing_the_namespace(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "Pulumi.s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StackFileError, match=what):
        load(tmp_path, "s")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.chat.yaml").mkdir()
    with pytest.raises(StackFileError, match=r"Pulumi.chat.yaml cannot be read: Is a directory"):
        load(tmp_path, "chat")


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.chat.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(StackFileError, match=r"Pulumi.chat.yaml cannot be read: No such file"):
        load(tmp_path, "chat")


def test_lists_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.chat.yaml").write_text(f"config: {'[' * 5000}\n", encoding="utf-8")
    with pytest.raises(StackFileError, match="within each other"):
        load(tmp_path, "chat")
