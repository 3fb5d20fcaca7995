"""Sentences on how a rehearsal differs from GKE: each is recorded somewhere, and none is missing."""

from __future__ import annotations

import re
from pathlib import Path

from llm_d_gke import rehearsal
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.rehearsal.charts.sources import differences
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program
from llm_d_gke.rehearsal.paths import (
    StackPaths,
    difference,
    forget_differences,
    record_difference,
    recorded_differences,
)
from llm_d_gke.rehearsal.pulumi_engine.needed_programs import is_over
from tests.stacks import plan_of

FOLDER = Path(rehearsal.__file__).parent


def test_every_sentence_is_recorded_and_every_recorded_one_is_there() -> None:
    code = "".join(file.read_text("utf-8") for file in FOLDER.rglob("*.py"))
    written = read_yaml(FOLDER / "differences.yaml").keys()
    assert set(re.findall(r'\bdifference\(\s*"([a-z-]+)"', code)) <= written
    assert [name for name in written if f'"{name}"' not in code] == []


def test_what_no_longer_runs_is_no_difference(tmp_path: Path) -> None:
    """As after a switch from KServe: its controller, its charts, and the images of their pods."""
    paths, direct, kserve = StackPaths("gpu", tmp_path), plan_of("gpu"), plan_of("kserve-single-replica-gpu")
    remaining = [
        difference("controller", program=Program.PICKER.value, ports="1"),
        difference("unknown-image", image="registry/kept:1"),
    ]
    ended = [
        difference("controller", program=Program.SERVICES.value, ports="1"),
        *(sentence for chart in kserve.charts for sentence in differences(chart.chart, chart.version)),
        difference("unknown-image", image="registry/ended:1"),
    ]
    assert len(ended) > len(kserve.charts)
    for sentence in (*ended, *remaining):
        record_difference(paths, sentence)
    forget_differences(paths, lambda sentence: is_over(sentence, kserve, {"registry/kept:1", "registry/ended:1"}))
    assert len(recorded_differences(paths)) == len(ended) + len(remaining)
    forget_differences(paths, lambda sentence: is_over(sentence, direct, {"registry/kept:1"}))
    assert recorded_differences(paths) == remaining
