"""The rules as a script over manifests: its help, its exit statuses, and files that it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy import check_manifests
from policy.check_manifests import main

EXEMPTIONS = """
exemptions:
  - {rule: pinned-images, resource: "shell*", reason: for the workshop, until: 2999-12-31}
  - {rule: pinned-images, resource: old, reason: was needed once, until: 2020-01-31}
"""
LISTED = (
    "pinned-images on shell*, until 2999-12-31: for the workshop",
    "pinned-images on old, ended 2020-01-31: was needed once",
)


@pytest.mark.parametrize("argument", ["-h", "--help"])
def test_help_is_a_usage(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument]) == 0
    assert "check_manifests.py FILE" in capsys.readouterr().out


def test_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.yaml")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "none.yaml: No such file or directory" in line


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00"])
def test_a_file_that_is_no_manifest_is_one_sentence(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    assert main([str(tmp_path)]) == 2
    assert "is not YAML" in capsys.readouterr().err


def test_manifests_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    assert "1 objects, 0 violations" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a.yaml", "b.yml", "c.json"])
def test_every_form_of_a_manifest_in_a_folder_is_read(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pod = '[{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"hostNetwork": true}}]'
    (tmp_path / name).write_text(pod, encoding="utf-8")
    assert main([str(tmp_path)]) == 1
    assert "hostNetwork" in capsys.readouterr().out


def test_exemptions_are_listed_with_reason_and_last_day(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that count, and those that have ended and count no more."""
    file = tmp_path / "exemptions.yaml"
    file.write_text(EXEMPTIONS, encoding="utf-8")
    monkeypatch.setattr(check_manifests, "_EXEMPTIONS", file)
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    for name in ("shell", "old"):
        pod = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: a, image: a}}]}}\n"
        (manifests / f"{name}.yaml").write_text(pod, encoding="utf-8")
    assert main([str(manifests)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"exemption: {line}" for line in LISTED]
    pinned = [line for line in lines if line.startswith("pinned-images:")]
    assert len(pinned) == 1
