"""A stack under bad requests with API keys, then with tokens: nothing wrong is served, and nothing behind notices.

Then a client that has used up its tokens of a minute is refused, and another one is not.
"""

from __future__ import annotations

import functools
import json

import httpx
import pytest

from llm_d_gke.rehearsal.load_balancer.tokens import signed_token
from tests.waiting import PATIENCE, eventually

from .edge import CHANGES, MODEL, SETTINGS, STACK, bad_input
from .live import options
from .project import Project

pytestmark = pytest.mark.rehearsal

# All kinds are among these, slow ones included.
REQUESTS = 220

TOKENS = 60
NOT_AUTH = [f"gateway.{key}={value}" for key, value in SETTINGS.items() if not key.startswith("auth")]
AUTH = {
    "kind": "jwt",
    "issuer": "https://accounts.example.com",
    "jwksUri": "https://accounts.example.com/keys",
    "audiences": ["llm"],
}


@pytest.mark.slow
def test_bad_requests_are_refused_and_reach_no_engine(fresh: Project) -> None:
    fresh.run("up", STACK, *CHANGES)
    result = bad_input(fresh.paths(STACK), REQUESTS)
    assert len(result.refusals) == REQUESTS
    assert (result.served, result.unclear) == ([], [])
    assert result.reached_engines == 0
    assert result.good
    assert [sample for sample in result.good if not sample.answered] == []
    assert (result.unready, result.restarts) == (set(), 0)
    # The same running stack asks for tokens instead. The answer that `up` waits for comes with one.
    fresh.run(
        "up",
        STACK,
        *options((*NOT_AUTH, f"gateway.auth={json.dumps(AUTH)}", f"gateway.limits.tokensPerMinute={TOKENS}")),
    )
    claims = {"iss": AUTH["issuer"], "aud": "llm", "sub": "search"}
    keys, address = fresh.paths(STACK).token_keys, fresh.endpoint(STACK)
    tokens = {
        200: signed_token(keys, claims),
        401: signed_token(keys, claims, seconds=-120.0),
        403: signed_token(keys, claims | {"aud": "another"}),
    }
    body = {"model": MODEL, "prompt": "Say hello.", "max_tokens": 2}
    with httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False) as client:
        for status, token in tokens.items():
            answer = client.post("/v1/completions", json=body, headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status
        assert client.post("/v1/completions", json=body).status_code == 403

        def status_for(client_name: str, *, stream: bool) -> int:
            headers = {"authorization": f"Bearer {signed_token(keys, claims | {'sub': client_name})}"}
            more = {"max_tokens": 2 * TOKENS, "ignore_eos": True, "stream": stream}
            return client.post("/v1/completions", json=body | more, headers=headers).status_code

        def refuses(client_name: str, *, stream: bool) -> bool:
            return status_for(client_name, stream=stream) == 429

        for stream in (False, True):
            name = f"batch-{stream}"
            assert status_for(name, stream=stream) == 200
            # A request that is the first of a new minute is answered again.
            eventually(functools.partial(refuses, name, stream=stream), f"{name} is refused")
        assert status_for("another", stream=False) == 200
