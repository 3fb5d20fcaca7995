"""Engines of which only the prefix cache and the metrics exist."""

from __future__ import annotations

from collections import OrderedDict
from http import HTTPStatus

from llm_d_gke.rehearsal.host.servers import HttpHandler, HttpServer


class PrefixCache:
    """Keeps the blocks of the latest prompts. The last ones of a prompt are dropped first, as vLLM does.

    A word is a token. It has room for `blocks` of `block_tokens` each.
    """

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self.blocks, self.block_tokens = blocks, block_tokens
        self._kept: OrderedDict[int, None] = OrderedDict()

    def take(self, prompt: str) -> int:
        """Keep a prompt; returns how many of its tokens were there."""
        keys = _blocks_of(prompt, self.block_tokens)
        hits = 0
        while hits < len(keys) and keys[hits] in self._kept:
            hits += 1
        for key in reversed(keys):
            self._kept[key] = None
            self._kept.move_to_end(key)
        while len(self._kept) > self.blocks:
            self._kept.popitem(last=False)
        return hits * self.block_tokens


class Engine:
    """An engine at an address: its cache, the requests that it answers, and its metrics over HTTP."""

    def __init__(self, ip: str, port: int, cache: PrefixCache, model: str) -> None:
        self.ip, self._cache, self._model = ip, cache, model
        self._running: dict[int, int] = {}
        self.requests = 0
        engine = self

        class Metrics(HttpHandler):
            def do_GET(self) -> None:
                self.reply(HTTPStatus.OK, engine.metrics().encode(), {"Content-Type": "text/plain; version=0.0.4"})

        self._server = HttpServer((ip, port), Metrics)
        self._server.start()

    def begin(self, number: int, prompt: str) -> int:
        """Take a request; returns how many of its tokens were cached."""
        self.requests += 1
        self._running[number] = len(prompt.split()) // self._cache.block_tokens
        return self._cache.take(prompt)

    def end(self, number: int) -> None:
        del self._running[number]

    def metrics(self) -> str:
        running = dict(self._running)
        blocks, block_tokens = self._cache.blocks, self._cache.block_tokens
        usage = min(1.0, sum(running.values()) / blocks)
        name = f'model_name="{self._model}"'
        gauges = {
            f"vllm:num_requests_running{{{name}}}": len(running),
            f"vllm:num_requests_waiting{{{name}}}": 0,
            f"vllm:kv_cache_usage_perc{{{name}}}": usage,
            f'vllm:cache_config_info{{block_size="{block_tokens}",num_gpu_blocks="{blocks}"}}': 1,
        }
        return "".join(f"# TYPE {key.partition('{')[0]} gauge\n{key} {value}\n" for key, value in gauges.items())

    def close(self) -> None:
        self._server.stop()


def _blocks_of(prompt: str, block_tokens: int) -> list[int]:
    """Keys of a prompt's full blocks; a key identifies the prompt up to the block's end."""
    words = prompt.split()
    keys: list[int] = []
    before = 0
    for start in range(0, len(words) - block_tokens + 1, block_tokens):
        before = hash((before, *words[start : start + block_tokens]))
        keys.append(before)
    return keys
