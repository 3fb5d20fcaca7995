"""A streamed answer that outlasts every default timeout on its way, in the background of other tests."""

from __future__ import annotations

import json
import threading
import time

import httpx

from tests.waiting import PATIENCE

from .project import Project


class LongAnswer:
    """Starts when created. Its engine is slowed down for all: the simulated one accepts latencies while running."""

    def __init__(self, project: Project, stack: str, tokens: int, seconds: float) -> None:
        address = project.endpoint(stack)
        [pod] = project.model_servers(stack)
        slower = {"inter-token-latency": f"{seconds / tokens * 1000:.0f}ms"}
        url = f"http://{pod['status']['podIP']}:8000/admin/config"
        httpx.post(url, json=slower, timeout=PATIENCE, trust_env=False).raise_for_status()
        self.tokens = tokens
        self.seconds = 0.0
        self.received = 0
        self.complete = False
        self.failure: str | None = None
        body = {
            "model": pod["spec"]["containers"][0]["args"][0],
            "messages": [{"role": "user", "content": "Tell me everything."}],
            "max_tokens": tokens,
            "ignore_eos": True,
            "stream": True,
        }
        self._thread = threading.Thread(target=self._receive, args=(address, body), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"no end after {self.received} tokens"

    def _receive(self, address: str, body: dict[str, object]) -> None:
        began = time.monotonic()
        try:
            url = f"{address}/v1/chat/completions"
            with httpx.stream("POST", url, json=body, timeout=PATIENCE, trust_env=False) as got:
                got.raise_for_status()
                for line in got.iter_lines():
                    event = line.removeprefix("data: ")
                    if event == "[DONE]":
                        self.complete = True
                    elif event:
                        choices = json.loads(event)["choices"]
                        self.received += sum(bool(choice["delta"].get("content")) for choice in choices)
        except httpx.HTTPError as error:
            self.failure = f"{type(error).__name__} after {time.monotonic() - began:.1f} s: {error}"
        self.seconds = time.monotonic() - began
