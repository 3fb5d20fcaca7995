"""Sentences on how a rehearsal differs from GKE: each is recorded somewhere, and none is missing."""

from __future__ import annotations

import re
from pathlib import Path

from llm_d_gke import rehearsal
from llm_d_gke.catalog.reading import read_yaml

FOLDER = Path(rehearsal.__file__).parent


def test_every_sentence_is_recorded_and_every_recorded_one_is_there() -> None:
    code = "".join(file.read_text("utf-8") for file in FOLDER.rglob("*.py"))
    written = read_yaml(FOLDER / "differences.yaml").keys()
    assert set(re.findall(r'\bdifference\(\s*"([a-z-]+)"', code)) <= written
    assert [name for name in written if f'"{name}"' not in code] == []
