"""Separate pods for prefill and decode: the real picker decides, the real sidecar calls prefill first."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.waiting import PATIENCE, eventually

from .project import Project, chat, project_in

pytestmark = pytest.mark.rehearsal

STACK = "disaggregated-gpu"
# The same by way of KServe.
KSERVE = f"kserve-{STACK}"
MODEL = "Qwen/Qwen3-32B"
SHORT, LONG = "Say hello.", "A word of a long prompt. " * 400


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("disaggregated")) as new_project:
        new_project.run("up", STACK)
        yield new_project


@pytest.fixture(scope="module")
def address(project: Project) -> str:
    return project.endpoint(STACK)


def answered(project: Project) -> Counter[str]:
    """Requests that each role's engines have served."""
    counts: Counter[str] = Counter()
    for pod in project.model_servers(STACK):
        metrics = httpx.get(f"http://{pod['status']['podIP']}:8000/metrics", timeout=PATIENCE, trust_env=False).text
        served = re.findall(r"^vllm:request_prompt_tokens_count\{[^}]*\} (\d+)", metrics, re.MULTILINE)
        counts[pod["metadata"]["labels"]["llm-d.ai/role"]] += sum(map(int, served))
    return counts


def requested(project: Project, address: str, prompt: str, *, stream: bool = False) -> tuple[str, Counter[str]]:
    """The role of the pod that answered, and the requests that came of it, by role."""
    before = answered(project)
    answer = chat(address, MODEL, prompt=prompt, stream=stream)
    assert answer.status_code == 200
    by = answer.headers["x-inference-pod"]
    [pod] = [model_server for model_server in project.model_servers(STACK) if model_server["metadata"]["name"] == by]
    return pod["metadata"]["labels"]["llm-d.ai/role"], answered(project) - before


def test_each_role_runs_on_its_own_nodes(project: Project) -> None:
    nodes: dict[str, set[str]] = {}
    for pod in project.model_servers(STACK):
        nodes.setdefault(pod["metadata"]["labels"]["llm-d.ai/role"], set()).add(pod["spec"]["nodeName"])
    assert set(nodes) == {"decode", "prefill"}
    assert not nodes["decode"] & nodes["prefill"]


def test_a_short_prompt_stays_where_it_is_decoded(project: Project, address: str) -> None:
    assert requested(project, address, SHORT) == ("decode", Counter(decode=1))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_long_prompt_is_computed_by_prefill_and_answered_by_decode(
    project: Project, address: str, *, stream: bool
) -> None:
    prompt = f"{stream}: {LONG}"
    assert requested(project, address, prompt, stream=stream) == ("decode", Counter(prefill=1, decode=1))


def test_verify_finds_every_promise_of_both_roles_kept(project: Project) -> None:
    assert project.verified(STACK) >= {"prefill", "engine-metrics", "objects", "replicas"}


def test_a_long_prompt_that_is_cached_stays(project: Project, address: str) -> None:
    """The decider counts only what the decode pod would have to compute."""
    first, _ = requested(project, address, f"Once more: {LONG}")
    assert (first, requested(project, address, f"Once more: {LONG}")[1]) == ("decode", Counter(decode=1))


def test_kserve_takes_over_both_roles_at_the_same_address(project: Project, address: str) -> None:
    examples = project.root / "examples"
    shutil.copy(examples / f"Pulumi.{KSERVE}.yaml", examples / f"Pulumi.{STACK}.yaml")
    project.run("up", STACK)
    assert project.endpoint(STACK) == address
    eventually(lambda: chat(address, MODEL).status_code == 200, "KServe's route leads")
    assert requested(project, address, LONG) == ("decode", Counter(prefill=1, decode=1))
    project.run("down", STACK)
    assert project.leftovers(STACK) == []
