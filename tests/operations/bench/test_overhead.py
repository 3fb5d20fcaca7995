"""The server against which the load generator is measured keeps its times."""

from __future__ import annotations

import multiprocessing
import threading
import time

import httpx

from llm_d_gke.operations.bench.overhead import FIRST_TOKEN, NEXT_TOKEN, _serve


def test_tokens_come_when_they_are_due_and_as_many_as_wanted() -> None:
    ours, theirs = multiprocessing.Pipe()
    threading.Thread(target=_serve, args=(theirs,), daemon=True).start()
    url = f"http://127.0.0.1:{ours.recv()}/v1/completions"
    with httpx.Client(trust_env=False) as client:
        for _ in range(2):  # over one connection
            began = time.monotonic()
            with client.stream("POST", url, json={"max_tokens": 4}) as response:
                events = [(time.monotonic() - began, line) for line in response.iter_lines() if line]
            assert [line for _, line in events].count("data: [DONE]") == 1
            assert len(events) == 5
            assert events[0][0] >= FIRST_TOKEN
            assert events[3][0] >= FIRST_TOKEN + 3 * NEXT_TOKEN
