"""Questions that an engine answers over HTTP, and what is compared of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx

from tests.waiting import PATIENCE

MODEL: Final = "Qwen/Qwen2.5-3B-Instruct"
LENGTH: Final = 2048
_TURN: Final = [{"role": "user", "content": "Tell me a story about a word."}]

Answer = Any
Question = Callable[[str], Answer]


def post(address: str, path: str, body: Any) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"content-type": "application/json"}
    return httpx.post(f"{address}{path}", content=content, headers=headers, timeout=PATIENCE, trust_env=False)


def get(address: str, path: str) -> httpx.Response:
    return httpx.get(f"{address}{path}", timeout=PATIENCE, trust_env=False)


def chat(address: str, **more: Any) -> httpx.Response:
    body = {"model": MODEL, "messages": _TURN, "max_tokens": 16, "temperature": 0, **more}
    return post(address, "/v1/chat/completions", {name: value for name, value in body.items() if value is not None})


def refusal(**more: Any) -> Question:
    """Status and type of the error of a chat request."""

    def ask(address: str) -> Answer:
        answer = chat(address, **more)
        error = answer.json().get("error") if answer.status_code != 200 else None
        return answer.status_code, error.get("type") if isinstance(error, Mapping) else error

    return ask


def _text(answer: httpx.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def _same_greedy_answer(address: str) -> Answer:
    return _text(chat(address)) == _text(chat(address))


def _usage(address: str) -> Answer:
    usage = chat(address, ignore_eos=True).json()["usage"]
    return usage["completion_tokens"], usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def _words_as_tokens(address: str) -> Answer:
    """Tokens of 100 words more: about as many in both, or prompts have other lengths."""

    def tokens(words: int) -> int:
        messages = [{"role": "user", "content": "word " * words}]
        return int(chat(address, messages=messages, max_tokens=1).json()["usage"]["prompt_tokens"])

    return round((tokens(200) - tokens(100)) / 100, 1)


def _stream(address: str) -> Answer:
    """Whether the stream ends with its mark and has an event with the usage."""
    answer = chat(address, stream=True, stream_options={"include_usage": True}, ignore_eos=True)
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    documents = [json.loads(event) for event in events if event != "[DONE]"]
    return events[-1] == "[DONE]", bool(documents[-1].get("usage"))


def _finish(address: str) -> Answer:
    return chat(address, ignore_eos=True).json()["choices"][0]["finish_reason"]


def _several_choices(address: str) -> Answer:
    return len(chat(address, n=2, temperature=1).json()["choices"])


def _log_probabilities(address: str) -> Answer:
    [choice] = chat(address, logprobs=True, top_logprobs=2).json()["choices"]
    return bool((choice.get("logprobs") or {}).get("content"))


def _stop(address: str) -> Answer:
    """Whether `min_tokens` and `ignore_eos` give exactly the length that was requested."""
    answer = chat(address, max_tokens=200, min_tokens=200, ignore_eos=True)
    return answer.json()["usage"]["completion_tokens"]


def _context_fills(address: str) -> Answer:
    """Tokens of prompt and answer together where the request names no `max_tokens`, or the refusal."""
    answer = chat(address, max_tokens=None, ignore_eos=True)
    return answer.json()["usage"]["total_tokens"] if answer.status_code == 200 else answer.status_code


def _too_long_together(address: str) -> Answer:
    """A short prompt with more `max_tokens` than the context has."""
    return refusal(max_tokens=LENGTH)(address)


def _card(address: str) -> Answer:
    [card] = get(address, "/v1/models").json()["data"]
    return card["id"], card.get("max_model_len"), card["owned_by"]


def _engine_metrics(address: str) -> Answer:
    """Which metrics that this project's dashboards, alerts and pickers read are there."""
    chat(address)
    text = get(address, "/metrics").text
    return [name for name in METRICS if f"\n{name}{{" not in text and f"\n{name} " not in text]


def _cached_tokens(address: str) -> Answer:
    """Whether the counter of cached tokens rises for a prompt that is repeated."""

    def hits() -> float:
        lines = get(address, "/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("vllm:prefix_cache_hits"))

    messages = [{"role": "user", "content": "shared " * 400}]
    chat(address, messages=messages)
    before = hits()
    chat(address, messages=messages)
    return hits() - before > 300


def _status(path: str) -> Question:
    return lambda address: get(address, path).status_code


def _large_body(address: str) -> Answer:
    """A body of 5 MiB: too long a prompt, not too large a request."""
    return refusal(messages=[{"role": "user", "content": "word " * 2**20}])(address)


METRICS: Final = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:cache_config_info",
    "vllm:prefix_cache_hits_total",
    "vllm:prefix_cache_queries_total",
    "vllm:request_success_total",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:time_to_first_token_seconds_count",
    "vllm:inter_token_latency_seconds_count",
    "vllm:e2e_request_latency_seconds_count",
    "vllm:request_queue_time_seconds_count",
    "vllm:num_preemptions_total",
)

# By the words of docs/rehearsal.md.
QUESTIONS: Final[Mapping[str, Question]] = {
    "`GET /health`": _status("/health"),
    "`GET /v1/models`: name, length, owner": _card,
    "`GET /version`": _status("/version"),
    "`GET /ping`": _status("/ping"),
    "chat: completion tokens, sum of tokens": _usage,
    "chat: end at `max_tokens`": _finish,
    "chat with `temperature` 0, twice": _same_greedy_answer,
    "chat with `n` 2": _several_choices,
    "chat with `logprobs`": _log_probabilities,
    "chat with `min_tokens` and `ignore_eos`": _stop,
    "chat with `ignore_eos` and without `max_tokens`": _context_fills,
    "stream: its end, event with the usage": _stream,
    "tokens of a word": _words_as_tokens,
    "unknown model": refusal(model="acme/unknown"),
    "prompt longer than the context": refusal(messages=[{"role": "user", "content": "word " * (LENGTH + 100)}]),
    "prompt and `max_tokens` longer than the context": _too_long_together,
    "body of 5 MiB": _large_body,
    "no messages": refusal(messages=[]),
    "no field `messages`": refusal(messages=None),
    "`temperature` -1": refusal(temperature=-1),
    "`max_tokens` 0": refusal(max_tokens=0),
    "`max_tokens` a word": refusal(max_tokens="many"),
    "unknown field": refusal(no_such_field=1),
    "body that is no JSON": lambda address: post(address, "/v1/chat/completions", "{").status_code,
    "`POST /tokenize`": lambda address: post(address, "/tokenize", {"model": MODEL, "prompt": "word"}).status_code,
    "metrics that are missing": _engine_metrics,
    "cached tokens of a repeated prompt": _cached_tokens,
}
