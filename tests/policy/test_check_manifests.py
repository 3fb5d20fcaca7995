"""The rules as a script over manifests: its help, its exit statuses, and files that it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from policy.check_manifests import main


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
