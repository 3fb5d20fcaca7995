"""Two models behind one address: every request is answered by the model it names; without a name by none."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.waiting import PATIENCE

from .project import Project, answered, chat, project_in
from .traffic import Request, Steady

pytestmark = pytest.mark.rehearsal

STACK = "multi-model-gpu"
# Model by the beginning of its pods' names.
MODELS = {"gemma-2b-it-vllm-": "google/gemma-2b-it", "phi-3-mini-4k-instruct-vllm-": "microsoft/Phi-3-mini-4k-instruct"}
GEMMA, PHI = MODELS.values()
REQUESTS = 420

ALIAS, ADAPTER, SPLIT = "gemma", "phi-writes-sql", "chat"
ADDED = {
    "llm-d:models[0].aliases": f"[{ALIAS}]",
    "llm-d:models[1].adapters": f"[{{name: {ADAPTER}, source: somebody/phi-3-mini-sql-lora}}]",
    "llm-d:splits": f"[{{name: {SPLIT}, weights: {{{GEMMA}: 4, {PHI}: 1}}}}]",
}
LISTED = [GEMMA, ALIAS, PHI, ADAPTER, SPLIT]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project_in(tmp_path_factory.mktemp("multi-model")) as new_project:
        new_project.run("up", STACK, *[word for path, value in ADDED.items() for word in ("-c", f"{path}={value}")])
        yield new_project


@pytest.fixture(scope="module")
def address(project: Project) -> str:
    """The address of the stack."""
    return project.endpoint(STACK)


def answered_by(answer: httpx.Response) -> tuple[int, str, str]:
    """Status, model of the pod that answered, model that the answer names."""
    pod = answer.headers.get("x-inference-pod", "")
    of_pod = next((model for beginning, model in MODELS.items() if pod.startswith(beginning)), f"pod {pod!r}")
    text = answer.text
    if text.startswith("data: "):
        text = text.removeprefix("data: ").partition("\n")[0]
    return answer.status_code, of_pod, json.loads(text).get("model", text)


def test_every_request_is_answered_by_the_model_it_asks_for(address: str) -> None:
    """420 of 420, streamed and not: one pool over both models gets about half of them wrong."""
    requested = [((GEMMA, PHI)[number % 2], number % 3 == 0) for number in range(REQUESTS)]
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda request: answered_by(chat(address, request[0], stream=request[1])), requested))
    expected = [(200, model, model) for model, _ in requested]
    wrong = Counter((want, got) for want, got in zip(expected, answers, strict=True) if want != got)
    assert wrong == Counter()


def test_verify_finds_every_promise_of_several_models_kept(project: Project) -> None:
    changes = [word for path, value in ADDED.items() for word in ("-c", f"{path}={value}")]
    passed = project.verified(STACK, *changes, "--requests", "60")
    assert passed >= {"models", "unknown-model", "health", "other-names", "model-routing", "objects", "replicas"}


def test_an_alias_leads_to_its_model(address: str) -> None:
    assert answered_by(chat(address, ALIAS))[:2] == (200, GEMMA)


def test_an_adapter_is_served_by_its_base(address: str) -> None:
    assert answered_by(chat(address, ADAPTER)) == (200, PHI, ADAPTER)


def test_the_models_are_listed(address: str) -> None:
    answer = httpx.get(f"{address}/v1/models", timeout=PATIENCE, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert [card["id"] for card in answer.json()["data"]] == LISTED
    assert {card["id"]: card["parent"] for card in answer.json()["data"]}[ADAPTER] == PHI


def test_the_address_is_healthy(address: str) -> None:
    assert httpx.get(f"{address}/health", timeout=PATIENCE, trust_env=False).status_code == 200


@pytest.mark.parametrize("prompt", ["Hello.", "word " * 40_000], ids=["short", "long"])
def test_an_unknown_model_gets_the_list_of_those_there_are(address: str, prompt: str) -> None:
    """At once: what no rule of a route matches would get the load balancer's own 404, without a reason."""
    answer = chat(address, "nobody/knows-it", prompt=prompt)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")
    assert answer.json()["error"]["code"] == "model_not_found"
    assert answer.json()["models"] == LISTED


def test_a_request_without_a_model_is_not_guessed(address: str) -> None:
    body = {"messages": [{"role": "user", "content": "Hello."}]}
    answer = httpx.post(f"{address}/v1/chat/completions", json=body, timeout=PATIENCE, trust_env=False)
    assert answer.status_code == 404


def test_a_client_cannot_choose_another_models_pool(address: str) -> None:
    """The router replaces the header that routes match, also for a name it does not know."""
    body = {"model": "nobody/knows-it", "messages": [{"role": "user", "content": "Hello."}]}
    headers = {"X-Gateway-Base-Model-Name": GEMMA}
    answer = httpx.post(f"{address}/v1/chat/completions", json=body, headers=headers, timeout=PATIENCE, trust_env=False)
    assert answer.status_code == 404


def test_a_split_name_is_divided_by_weight(address: str) -> None:
    """4 to 1: of 400 requests 80 go to the second model, give or take five standard deviations of 8."""
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda n: answered_by(chat(address, SPLIT, stream=n % 3 == 0)), range(400)))
    assert [answer for answer in answers if answer[0] != 200] == []
    shares = Counter(answer[:2] for answer in answers)
    assert shares.keys() == {(200, GEMMA), (200, PHI)}
    assert 40 <= shares[200, PHI] <= 120, shares


def test_a_switch_to_another_pattern_and_back_loses_no_request(project: Project, address: str) -> None:
    """Without its alias the model has other servers on the way, there and back: a spare node makes that possible."""
    single_model = json.dumps([{"id": GEMMA, "maxModelLen": 2048, "gpuMemoryUtilization": 0.85, "dtype": "half"}])
    with Steady(Request(address, GEMMA, "is the number.")) as load:
        answered(load, 20)
        project.run("up", STACK, "-c", "llm-d:pattern=single-replica", "-c", f"llm-d:models={single_model}")
        assert all(pod["metadata"]["name"].startswith("gemma") for pod in project.model_servers(STACK))
        project.run("up", STACK)
        answered(load, 20, since=time.monotonic())
    assert project.endpoint(STACK) == address
    assert len(load.samples) > 100
    statuses = Counter(sample.status for sample in load.samples)
    assert statuses == {200: len(load.samples)}
    assert answered_by(chat(address, PHI)) == (200, PHI, PHI)
