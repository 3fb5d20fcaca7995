"""The limit of tokens in the real Envoy, in front of a server whose answers state what they cost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from llm_d_gke.planning.routing.edge import KEYS_DIRECTORY, KEYS_ENTRY
from llm_d_gke.planning.routing.token_limit import TOKENS_DIRECTORY
from tests.envoy import serving
from tests.planning.routing.test_edge import JWT, KEYS
from tests.stacks import plan_of
from tests.waiting import PATIENCE

LIMIT = 100
LIMITS = {"gateway.limits": {"tokensPerMinute": LIMIT, "per": "key"}}
CLIENTS = ("answers", "streams", "events", "steps", "claims", "quiet", "many", "shut")


class Engine(BaseHTTPRequestHandler):
    """Sends back the body of a request, as a stream of events where it begins with `data:`."""

    protocol_version = "HTTP/1.1"
    # The events that the client has got of a stream of completions.
    received = threading.Semaphore(0)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        kind = "text/event-stream" if body.startswith(b"data:") else "application/json"
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if self.path == "/v1/completions":
            for event in body.split(b"\n\n")[:-1]:
                self._send(event + b"\n\n")
                self.received.acquire(timeout=PATIENCE)
        else:
            # Short pieces, so that numbers are cut.
            for place in range(0, len(body), 7):
                self._send(body[place : place + 7])
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, piece: bytes) -> None:
        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture(scope="module")
def proxy(counts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("envoy")
    (folder / KEYS_ENTRY).write_text("".join(f"{name} {key_of(name)}\n" for name in CLIENTS))
    filters = plan_of("gpu", KEYS | LIMITS).gateway.edge.filters
    text = json.dumps([{"name": entry.name, "typed_config": dict(entry.config)} for entry in filters])
    text = text.replace(f"{KEYS_DIRECTORY}/", f"{folder}/").replace(f"{TOKENS_DIRECTORY}/", f"{counts}/")
    engine = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    address = {"socket_address": {"address": "127.0.0.1", "port_value": engine.server_address[1]}}
    assignment = {"cluster_name": "engine", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}
    cluster = {"name": "engine", "type": "STATIC", "load_assignment": assignment}
    action = {"route": {"cluster": "engine"}}
    with serving(json.loads(text), folder, (), action=action, clusters=[cluster], workers=2) as client:
        yield client
    engine.shutdown()


def key_of(client: str) -> str:
    return f"key-of-{client}".ljust(32, "0")


def answer_of(tokens: int, text: str = "Hello") -> str:
    return json.dumps({"choices": [{"message": {"content": text}}], "usage": {"total_tokens": tokens}, "end": "x" * 90})


def events(number: int, tokens: int | None) -> str:
    """A stream of `number` events, the last of which states the tokens."""
    usage = [] if tokens is None else [{"choices": [], "usage": {"total_tokens": tokens}}]
    texts = [json.dumps(item) for item in [*[{"choices": [{}]}] * number, *usage]]
    return "".join(f"data: {text}\n\n" for text in [*texts, "[DONE]"])


def ask(proxy: httpx.Client, client: str, body: str) -> httpx.Response:
    """The answer on a connection of its own, so that any worker of Envoy may get it."""
    headers = {"x-api-key": key_of(client), "connection": "close"}
    return proxy.post("/v1/chat/completions", content=body, headers=headers)


def spent(counts: Path, client: str) -> int:
    return sum(file.stat().st_size for file in counts.glob(f"*-{client.encode().hex()}"))


def in_one_minute(attempt: Callable[[], None]) -> None:
    """Run the attempt again if another minute has begun meanwhile, in which the clients have spent nothing."""
    minute = int(time.time() // 60)
    try:
        attempt()
    except AssertionError:
        if minute == int(time.time() // 60):
            raise
        attempt()


def test_a_client_that_has_spent_its_tokens_gets_429_and_others_do_not(proxy: httpx.Client) -> None:
    def attempt() -> None:
        assert [ask(proxy, "answers", answer_of(60)).status_code for _ in range(2)] == [200, 200]
        refused = ask(proxy, "answers", answer_of(60))
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "tokens_per_minute"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert ask(proxy, "quiet", answer_of(1)).status_code == 200

    in_one_minute(attempt)


@pytest.mark.parametrize(
    ("client", "body", "tokens"),
    [
        ("streams", events(70, 2345), 2345),
        # Those of the first event and of the end are one.
        ("events", events(70, None), 70),
        ("claims", answer_of(123, 'say "total_tokens": 1 or {"usage": {"total_tokens": 2}}'), 123),
    ],
)
def test_an_answer_costs_what_its_usage_says(
    proxy: httpx.Client, counts: Path, client: str, body: str, tokens: int
) -> None:
    answer = ask(proxy, client, body)
    assert (answer.status_code, answer.text) == (200, body)
    assert spent(counts, client) == tokens


def test_events_are_counted_that_arrive_one_by_one(proxy: httpx.Client, counts: Path) -> None:
    """As an engine sends them: each begins a chunk."""
    headers, body = {"x-api-key": key_of("steps")}, events(70, None)
    with proxy.stream("POST", "/v1/completions", content=body, headers=headers) as answer:
        for _ in answer.iter_raw():
            Engine.received.release()
    assert spent(counts, "steps") == 70


def test_all_workers_of_an_envoy_count_together(proxy: httpx.Client) -> None:
    def attempt() -> None:
        assert [ask(proxy, "many", answer_of(10)).status_code for _ in range(11)] == [200] * 10 + [429]

    in_one_minute(attempt)


def test_nothing_is_answered_that_cannot_be_counted(proxy: httpx.Client, counts: Path) -> None:
    """The last test of this proxy."""
    aside = counts.with_name("aside")
    counts.rename(aside)
    refused = ask(proxy, "shut", answer_of(1))
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "tokens_not_counted")
    aside.rename(counts)


def test_the_gateways_pods_have_a_folder_to_count_in_beside_the_keys() -> None:
    pod = plan_of("gpu", KEYS | LIMITS).gateway.pods["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [KEYS_DIRECTORY, TOKENS_DIRECTORY]
    assert pod["volumes"][1] == {"name": "tokens", "emptyDir": {"sizeLimit": "256Mi"}}


def test_tokens_of_a_token_s_owner_are_counted_where_the_owner_is_known() -> None:
    filters = plan_of("gpu", JWT | LIMITS).gateway.edge.filters
    assert [(entry.name, entry.after) for entry in filters] == [
        ("llm-d.headers", None),
        ("llm-d.tokens", "envoy.filters.http.rbac"),
    ]


@pytest.mark.parametrize(("changes", "counted"), [(KEYS, False), (KEYS | LIMITS, True)])
def test_engines_state_the_tokens_of_every_stream(changes: dict[str, Any], counted: bool) -> None:
    [server] = plan_of("gpu", changes).models[0].servers
    assert ("--enable-force-include-usage" in server.pod.args) is counted
