"""Sentences on how a rehearsal differs from GKE: each is recorded somewhere, and none is missing."""

from __future__ import annotations

import re
from pathlib import Path

from llm_d_gke import rehearsal
from llm_d_gke.catalog.reading import read_yaml
from llm_d_gke.rehearsal.node_agent.images_to_binaries import Program
from llm_d_gke.rehearsal.paths import (
    StackPaths,
    difference,
    forget_differences,
    record_difference,
    recorded_differences,
)
from llm_d_gke.rehearsal.pulumi_engine.needed_programs import ended_controllers
from tests.stacks import plan_of

FOLDER = Path(rehearsal.__file__).parent


def test_every_sentence_is_recorded_and_every_recorded_one_is_there() -> None:
    code = "".join(file.read_text("utf-8") for file in FOLDER.rglob("*.py"))
    written = read_yaml(FOLDER / "differences.yaml").keys()
    assert set(re.findall(r'\bdifference\(\s*"([a-z-]+)"', code)) <= written
    assert [name for name in written if f'"{name}"' not in code] == []


def test_what_no_longer_runs_is_no_difference(tmp_path: Path) -> None:
    paths = StackPaths("gpu", tmp_path)
    for which in (Program.SERVICES, Program.PICKER):
        record_difference(paths, difference("controller", program=which.value, ports="1"))
    assert Program.SERVICES in ended_controllers(plan_of("gpu"))
    assert Program.SERVICES not in ended_controllers(plan_of("kserve-single-replica-gpu"))
    forget_differences(paths, *(f"{which.value} runs " for which in ended_controllers(plan_of("gpu"))))
    assert [text.split()[0] for text in recorded_differences(paths)] == [Program.PICKER.value]
