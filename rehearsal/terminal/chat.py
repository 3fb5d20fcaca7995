"""One chat request through the Gateway, as a client would send it."""

from __future__ import annotations

import time
from dataclasses import dataclass

import httpx

from rehearsal.errors import RehearsalError


@dataclass(frozen=True)
class Answer:
    """What came back: the text, and the pod that wrote it (the simulator names itself in a response header)."""

    model: str
    text: str
    pod: str
    seconds: float


def ask(endpoint: str, host: str, model: str, prompt: str = "Say hello.", patience: float = 60.0) -> Answer:
    """Send one chat completion; try again for `patience` seconds while the load balancer still learns of its backends.

    `endpoint` is where the Gateway listens on this machine, `host` the name under which clients know it. Who signed its
    certificate is not looked at: those that Google holds are stood in for here.

    Raises RehearsalError with the last answer when it stays away.
    """
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 32}
    deadline = time.monotonic() + patience
    last = "no answer"
    headers, extensions = {"Host": host}, {"sni_hostname": host}
    with httpx.Client(base_url=endpoint, headers=headers, timeout=30.0, trust_env=False, verify=False) as client:  # noqa: S501
        while True:
            began = time.monotonic()
            try:
                response = client.post("/v1/chat/completions", json=body, extensions=extensions)
                if response.status_code == httpx.codes.OK:
                    return _answer(response, time.monotonic() - began)
                last = f"HTTP {response.status_code}: {response.text[:200]}"
                # A request the engine itself refuses will not become right by waiting.
                if response.status_code in (400, 401, 403, 422):
                    break
            except httpx.HTTPError as error:
                last = str(error) or type(error).__name__
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
    raise RehearsalError(f"the Gateway at {endpoint} gave no chat answer: {last}")


def _answer(response: httpx.Response, seconds: float) -> Answer:
    document = response.json()
    return Answer(
        model=document["model"],
        text=document["choices"][0]["message"]["content"],
        pod=response.headers.get("x-inference-pod", "(unnamed)"),
        seconds=seconds,
    )
