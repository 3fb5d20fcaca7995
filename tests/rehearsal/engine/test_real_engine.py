"""What must hold with real vLLM behind Envoy and the real picker: `make test-engine`, not part of `make test`."""

from __future__ import annotations

import base64
import json
import re
import threading
from dataclasses import dataclass, field

import httpx
import pytest

from llm_d_gke.catalog.metrics import ENGINE, load_metrics
from llm_d_gke.rehearsal.engine_choice import EngineChoice, engine_of
from tests.waiting import PATIENCE, eventually

from ..e2e.project import Project, chat
from .running import ADAPTER, CHANGES, ENGINES, LENGTH, MODEL, NAMESPACE, STACK, Up, canary, other_weights, total

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1800)]


def test_up_says_what_runs_and_draws_the_path(up: Up) -> None:
    assert engine_of(up.project.paths(STACK)) is EngineChoice.VLLM
    assert "a tiny model of random weights" in up.output
    drawn = up.output.partition("the path of this request")[2]
    names = up.project.ready(STACK)
    assert "+- Gateway inference-gateway -" in drawn
    assert "prefix-cache-scorer x 3" in drawn
    assert sum(f"+- pod {name} -" in drawn for name in names) == 1
    # Long names are cut at their beginning: pods differ at their end.
    assert all(name[-16:] in drawn.partition("+- pod ")[0] for name in names)


def test_chat_answers_with_text_and_usage(up: Up) -> None:
    answer = chat(up.address, MODEL)
    assert answer.status_code == 200
    document = answer.json()
    assert document["model"] == MODEL
    assert document["system_fingerprint"].startswith("vllm-0.")
    assert document["usage"]["completion_tokens"] == 16
    assert document["choices"][0]["message"]["content"].strip()


def test_a_stream_comes_in_pieces_and_ends(up: Up) -> None:
    events = [line for line in chat(up.address, MODEL, stream=True).text.splitlines() if line]
    assert events[-1] == "data: [DONE]"
    pieces = [json.loads(line.removeprefix("data: ")) for line in events[:-1]]
    assert pieces[-1]["choices"][0]["finish_reason"] == "length"
    # Fewer than tokens: some are parts of a character, and a busy engine sends several at once.
    assert len(pieces) > 2


def test_two_replicas_give_one_answer(up: Up) -> None:
    """The canary of `verify`, which the simulator's random words would make meaningless."""
    passed = up.project.verified(STACK, *CHANGES)
    assert passed >= {"same-answer", "prefix-affinity", "long-prompt", "too-long-prompt", "engine-metrics", "models"}


def test_equal_beginnings_go_to_one_replica_whose_own_counters_show_it(up: Up) -> None:
    for group in range(3):
        beginning = f"Group {group}. " + "What all of these prompts have in common. " * 30
        before = up.counters("vllm:prefix_cache_hits_total"), up.counters("vllm:request_success_total")
        answers = [chat(up.address, MODEL, prompt=f"{beginning} Question {number}?") for number in range(5)]
        assert {answer.status_code for answer in answers} == {200}
        hits, done = up.counters("vllm:prefix_cache_hits_total"), up.counters("vllm:request_success_total")
        served = {pod: done[pod] - before[1][pod] for pod in done}
        cached = {pod: hits[pod] - before[0][pod] for pod in hits}
        assert sorted(served.values()) == [0.0, 5.0]
        [chosen] = [pod for pod, count in served.items() if count]
        prompt = answers[0].json()["usage"]["prompt_tokens"]
        # Four of five find all whole blocks of the beginning.
        assert cached[chosen] >= 4 * (prompt - 48)
        assert sum(cached.values()) == cached[chosen]


def test_a_prompt_that_is_too_long_is_refused_with_400_and_the_limit(up: Up) -> None:
    answer = chat(up.address, MODEL, prompt="word " * (LENGTH + 100))
    assert answer.status_code == 400
    assert str(LENGTH) in answer.json()["error"]["message"]
    assert chat(up.address, "acme/unknown").status_code == 404


def test_adapters_are_listed_below_their_model_and_answer(up: Up) -> None:
    cards = httpx.get(f"{up.address}/v1/models", timeout=PATIENCE, trust_env=False).json()["data"]
    assert {card["id"]: card["parent"] for card in cards} == {MODEL: None, ADAPTER: MODEL}
    assert {card["max_model_len"] for card in cards if card["id"] == MODEL} == {LENGTH}
    texts = {}
    for name in (MODEL, ADAPTER):
        body = {"model": name, "prompt": "Tell me a story", "max_tokens": 24, "temperature": 0}
        answer = httpx.post(f"{up.address}/v1/completions", json=body, timeout=PATIENCE, trust_env=False)
        assert answer.json()["model"] == name
        texts[name] = answer.json()["choices"][0]["text"]
    assert texts[MODEL] != texts[ADAPTER]


@dataclass
class Stream:
    """A long answer in a thread of its own, with each event as it comes."""

    address: str
    tokens: int
    events: list[str] = field(default_factory=list)
    failure: str = ""

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "Tell me a story."}],
            "max_tokens": self.tokens,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        url = f"{self.address}/v1/chat/completions"
        try:
            with httpx.stream("POST", url, json=body, timeout=PATIENCE, trust_env=False) as answer:
                self.events += (line for line in answer.iter_lines() if line)
        except httpx.HTTPError as error:
            self.failure = str(error) or type(error).__name__

    def end(self) -> None:
        self._thread.join(300.0)
        assert not self._thread.is_alive()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()


def test_vllm_has_every_metric_of_the_catalog(up: Up) -> None:
    assert chat(up.address, MODEL).status_code == 200
    exposed = {
        name
        for text in up.metrics().values()
        for name in re.findall(r"^(vllm:\w+?)(?:_bucket|_sum|_count)?[{ ]", text, re.MULTILINE)
    }
    assert {metric.names[ENGINE] for metric in load_metrics().metrics.values() if metric.of == "engine"} <= exposed


def test_the_picker_reads_vllms_own_metrics(up: Up) -> None:
    """While an answer is written its cache is in use: a picker that looked for another name would see none."""
    names = ["num_requests_waiting", "num_requests_running", "kv_cache_usage_perc"]
    assert all(f"vllm:{name}{{" in text for text in up.metrics().values() for name in names)
    # An engine has this one after its first request for an adapter.
    assert chat(up.address, ADAPTER).status_code == 200
    assert any("vllm:lora_requests_info{" in text for text in up.metrics().values())
    streams = [Stream(up.address, 6000)]

    def is_seen() -> bool:
        # The picker sums up its metrics every 5 s, and an idle machine writes 6,000 tokens in less.
        if not streams[-1].running:
            streams.append(Stream(up.address, 6000))
        return pool_utilization(up.project) > 0.0

    eventually(is_seen, "the picker sees a used KV cache")
    for stream in streams:
        stream.end()
    assert not [stream.failure for stream in streams if stream.failure]


def pool_utilization(project: Project) -> float:
    with project.kube(STACK) as kube:
        secret = kube.get("v1", "Secret", "picker-metrics-reader", NAMESPACE)
    token = base64.b64decode(secret["data"]["token"]).decode()
    [pod] = project.model_servers(STACK, "app.kubernetes.io/name=endpoint-picker")
    url = f"http://{pod['status']['podIP']}:9090/metrics"
    text = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE, trust_env=False).text
    return total(text, "inference_pool_average_kv_cache_utilization")


def test_a_drained_pod_loses_nothing_of_a_running_stream(up: Up) -> None:
    tokens = 7000
    before = up.counters("vllm:num_requests_running")
    stream = Stream(up.address, tokens)
    eventually(lambda: len(stream.events) > 5, "the stream began")
    running = up.counters("vllm:num_requests_running")
    [pod] = [name for name in running if running[name] > before[name]]
    with up.project.kube(STACK) as kube:
        kube.delete("v1", "Pod", pod, NAMESPACE)
    eventually(lambda: pod not in up.project.ready(STACK), "the pod is on its way out")
    assert stream.running, "the stream ended before its pod was drained"
    others = [chat(up.address, MODEL, prompt=f"Other question {number}?").status_code for number in range(5)]
    stream.end()
    assert not stream.failure
    assert stream.events[-1] == "data: [DONE]"
    assert json.loads(stream.events[-2].removeprefix("data: "))["usage"]["completion_tokens"] == tokens
    assert others == [200] * 5


def test_a_replica_with_other_weights_is_found(up: Up) -> None:
    with other_weights(up.project, STACK, ENGINES) as name:
        outcome, evidence = canary(up.project, STACK, CHANGES, code=2)
    assert outcome == "failed"
    assert "2 places say" in evidence
    assert f"but {name} says" in evidence


def test_another_engine_is_refused_while_this_one_runs(up: Up) -> None:
    output = up.project.run("up", STACK, "--engine", "simulator", code=1)
    assert f"make down STACK={STACK} first" in output
