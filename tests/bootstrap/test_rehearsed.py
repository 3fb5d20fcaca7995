"""The program runs through the real engine as its documented commands run it; Google Cloud is a stand-in."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from llm_d_gke.stackfile import PROJECT_ROOT
from tests.library.language_host import engine

from .test_bootstrap import CONFIG, graph

PROGRAM = PROJECT_ROOT / "bootstrap" / "__main__.py"
RUNNER = PROJECT_ROOT / "tests" / "library" / "run_python.py"


@pytest.mark.rehearsal
def test_it_comes_up_stays_as_it_is_and_keeps_states_and_keys(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "pulumi"
    project.mkdir()
    home.mkdir()
    shutil.copy(PROGRAM.with_name("Pulumi.yaml"), project)

    def command(request: Any, address: str) -> list[str]:
        return [sys.executable, str(RUNNER), request.monitor_address, address, str(PROGRAM)]

    texts = {key: value for key, value in CONFIG.items() if isinstance(value, str)}
    with engine(project, command, home, texts) as ready:
        for number, environment in enumerate(CONFIG["environments"]):
            ready.run("config", "set", "--path", f"environments[{number}]", environment)
        ready.run("up", "--yes", "--skip-preview")
        types = sorted(resource["type"] for resource in ready.resources() if resource["type"].startswith("gcp:"))
        assert types == sorted(resource.type for resource in graph() if resource.type.startswith("gcp:"))
        assert ready.outputs()["PULUMI_STATE_URL"] == "gs://my-project-123456-llm-d-state"
        ready.run("up", "--yes", "--skip-preview", "--expect-no-changes")
        refused = ready.run("destroy", "--yes", "--skip-preview", check=False)
        assert refused.returncode != 0
        assert "protected" in refused.stdout + refused.stderr
