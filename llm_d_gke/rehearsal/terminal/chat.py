"""One chat request through the Gateway, like a client's, with an API key of the stack or a token of the local key."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from llm_d_gke.kube import Manifest
from llm_d_gke.planning.plan.stack import StackPlan
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.load_balancer.gateway_filters import STAND_IN_KEY
from llm_d_gke.rehearsal.load_balancer.tokens import signed_token
from llm_d_gke.rehearsal.node_agent.environment import data_of
from llm_d_gke.waiting import wait_until


@dataclass(frozen=True)
class Answer:
    """The answer: its text, and the pod that wrote it, from a response header of the simulator; empty without it."""

    model: str
    text: str
    pod: str
    seconds: float


def ask(
    endpoint: str,
    host: str,
    model: str,
    prompt: str = "Say hello.",
    patience: float = 60.0,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one chat completion, again for up to `patience` seconds while the load balancer does not know its backends.

    `endpoint` is where the Gateway listens on this machine, `host` the name under which clients know it. `headers` say
    who asks. The certificate is not verified: a self-signed one takes the place of one that only Google has.

    Raises RehearsalError with the last answer.
    """
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": 32}
    last = "no answer"
    sent, extensions = {"Host": host, **(headers or {})}, {"sni_hostname": host}
    with httpx.Client(base_url=endpoint, headers=sent, timeout=30.0, trust_env=False, verify=False) as client:  # noqa: S501

        def failure() -> RehearsalError:
            return RehearsalError(f"the Gateway at {endpoint} gave no chat answer: {last}")

        def attempt() -> Answer | None:
            nonlocal last
            began = time.monotonic()
            try:
                response = client.post("/v1/chat/completions", json=body, extensions=extensions)
            except httpx.HTTPError as error:
                last = str(error) or type(error).__name__
                return None
            if response.status_code == httpx.codes.OK:
                return _answer(response, time.monotonic() - began)
            last = f"HTTP {response.status_code}: {response.text[:200]}"
            # The engine refuses such a request however often it is sent. A key that is new is known a moment later.
            if response.status_code in (400, 422):
                raise failure()
            return None

        answer = wait_until(attempt, timeout=patience, on_timeout=failure, first_pause=0.5)
        assert answer is not None
        return answer


def _answer(response: httpx.Response, seconds: float) -> Answer:
    document = response.json()
    return Answer(
        model=document["model"],
        text=document["choices"][0]["message"]["content"],
        pod=response.headers.get("x-inference-pod", ""),
        seconds=seconds,
    )


# (api version, kind, name, namespace) -> object, None when there is none
FindObject = Callable[[str, str, str, str], Manifest | None]


def client_headers(plan: StackPlan, find: FindObject, token_keys: Path) -> dict[str, str]:
    """Headers with the first key of the stack's Secret or with a token, empty where the Gateway asks for neither.

    `token_keys` is the folder of the key that signs tokens.
    """
    jwt = plan.gateway.edge.jwt
    if jwt is not None:
        claims = {"iss": jwt.issuer, "aud": jwt.audiences[0], "sub": "rehearsal"}
        return {"authorization": f"Bearer {signed_token(token_keys, claims)}"}
    keys = api_keys(plan, find)
    return {"x-api-key": next(iter(keys))} if keys else {}


def api_keys(plan: StackPlan, find: FindObject) -> Mapping[str, str]:
    """Names by key, in the order of the Secret."""
    key_source = plan.gateway.edge.api_keys
    if key_source is not None and key_source.secret_manager is not None:
        return {STAND_IN_KEY: "rehearsal"}
    secret = None if key_source is None else find("v1", "Secret", key_source.secret, plan.namespace.name)
    return {} if key_source is None or secret is None else names_by_key(secret, key_source.entry)


def names_by_key(secret: Manifest, entry: str) -> dict[str, str]:
    """Names by key in one entry of a Secret, where each line is a name and its key."""
    lines = data_of(secret).get(entry, b"").decode().splitlines()
    return {key: name for name, _, key in (line.partition(" ") for line in lines) if key}
