"""What the commands do to files before the engine starts."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llm_d_gke.cli.text import print_step
from llm_d_gke.rehearsal.pulumi_engine.engine import restore_state
from llm_d_gke.rehearsal.terminal.progress import show


def checkpoint_in(backend: Path) -> Path:
    checkpoint = backend / ".pulumi" / "stacks" / "llm-d" / "gpu.json"
    checkpoint.parent.mkdir(parents=True)
    return checkpoint


@pytest.mark.parametrize(
    ("now", "before", "after"),
    [
        ("", '{"version": 3}', '{"version": 3}'),
        ('{"version": 3, "deploy', '{"version": 3}', '{"version": 3}'),
        ('{"version": 4}', '{"version": 3}', '{"version": 4}'),
        ("", "", ""),
    ],
)
def test_a_checkpoint_that_a_kill_cut_short_is_the_one_before(
    tmp_path: Path, now: str, before: str, after: str
) -> None:
    checkpoint = checkpoint_in(tmp_path)
    checkpoint.write_text(now, encoding="utf-8")
    checkpoint.with_name("gpu.json.bak").write_text(before, encoding="utf-8")
    restore_state(tmp_path, "gpu")
    assert checkpoint.read_text(encoding="utf-8") == after


def test_a_stack_without_a_checkpoint_has_none_afterwards(tmp_path: Path) -> None:
    restore_state(tmp_path, "gpu")
    assert list(tmp_path.iterdir()) == []


def test_attributes_that_a_kill_cut_short_are_removed(tmp_path: Path) -> None:
    """A file without attributes can be read, one with half of them cannot."""
    checkpoint = checkpoint_in(tmp_path)
    for name, text in (("gpu.json", "{}"), ("gpu.json.attrs", ""), ("gpu.json.bak", "{}")):
        checkpoint.with_name(name).write_text(text, encoding="utf-8")
    checkpoint.with_name("gpu.json.bak.attrs").write_text('{"md5": ""}', encoding="utf-8")
    restore_state(tmp_path, "gpu")
    assert sorted(file.name for file in checkpoint.parent.iterdir()) == [
        "gpu.json",
        "gpu.json.bak",
        "gpu.json.bak.attrs",
    ]


@pytest.mark.parametrize("printer", [show, print_step])
def test_a_reader_that_ended_stops_no_update(printer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """`llmd preview gpu | head -3` waited indefinitely: the engine's output had no reader any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(os.dup(writer), "wb", buffering=0) as raw:
        os.close(writer)
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, write_through=True))
        printer("one line")
        printer("another line")
