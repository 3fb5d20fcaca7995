"""Every pinned version of vLLM starts as its release's pods start it, and answers through Gateway and picker."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from llm_d_gke.catalog import load
from llm_d_gke.rehearsal.vllm_cpu.versions import pinned_versions
from tests.waiting import PATIENCE

from ..e2e.project import chat, project_in
from .running import START_SECONDS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(3600)]

STACK = "gpu"
MODEL = "google/gemma-2b-it"
RELEASES = {
    release.engine.gpu.version: name
    for name, release in load().releases.items()
    if release.engine.gpu is not None and release.engine.gpu.version in pinned_versions()
}


def test_every_pinned_version_is_a_releases() -> None:
    assert sorted(RELEASES) == sorted(pinned_versions())


@pytest.mark.parametrize("version", RELEASES)
def test_it_answers(tmp_path: Path, version: str) -> None:
    change = ("-c", f"release={RELEASES[version]}")
    with project_in(tmp_path) as project:
        project.run("up", STACK, "--engine", "vllm", *change, patience=START_SECONDS)
        [pod] = project.model_servers(STACK)
        address = f"http://{pod['status']['podIP']}:8000"
        reply = httpx.get(f"{address}/version", timeout=PATIENCE, trust_env=False)
        assert reply.json()["version"].startswith(version)
        assert chat(project.endpoint(STACK), MODEL).json()["usage"]["completion_tokens"] == 16
        assert project.verified(STACK, *change) >= {"gateway", "models", "long-prompt", "engine-metrics"}
