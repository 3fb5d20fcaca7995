"""A running stack in this process: engines and a Gateway that answer as they are set to, pods without a cluster."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from llm_d_gke.operations.live_stack.stack import Endpoint, LiveStack, Manifest
from llm_d_gke.operations.verify.context import CheckContext
from llm_d_gke.stackfile import StackConfig
from tests.stacks import plan_of, values_of

Body = dict[str, Any]
# Status and document.
Answer = tuple[int, Any]


@dataclass
class FakeEngine:
    """A vLLM server: `answer` is its text, `limit` its longest prompt in tokens, `cached` tokens of every request.

    A prompt has `template` tokens, and as many for each word as `word` says.

    Where it has a `token`, metrics are answered to that token only. `computed` are answers whose prompt a prefill
    server has computed, by prompt and salt: these are in its own cache then.
    """

    name: str
    model: str
    labels: Mapping[str, str]
    answer: str = "one, two, three"
    limit: int = 2048
    template: int = 0
    word: int = 1
    cached: int = 0
    prefills: list[FakeEngine] = field(default_factory=list)
    address: str = "10.0.0.1"
    token: str = ""
    served: int = 0
    port: int = 0
    computed: dict[tuple[str, str], str] = field(default_factory=dict)

    def reply(self, body: Body, headers: Mapping[str, str] | None = None) -> Answer:
        prompt = str(body.get("prompt") or body["messages"][0]["content"])
        tokens = self.template + self.word * len(prompt.split())
        if body["model"] != self.model:
            return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
        if tokens > self.limit:
            return 400, {"error": {"message": f"This model's maximum context length is {self.limit} tokens."}}
        self.served += 1
        text = self.answer
        for engine in self.prefills:
            if (headers or {}).get("x-prefiller-host-port", "").startswith(f"{engine.address}:"):
                text = self.computed.setdefault((prompt, str(body.get("cache_salt"))), engine.answer)
        usage = {
            "prompt_tokens": tokens,
            "completion_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }
        return 200, {"model": self.model, "choices": [{"message": {"content": text}, "text": text}], "usage": usage}

    @property
    def metrics(self) -> str:
        return (
            f'vllm:num_requests_running{{model_name="{self.model}"}} 0\n'
            f'vllm:request_prompt_tokens_count{{model_name="{self.model}"}} {self.served}\n'
            f'vllm:prefix_cache_hits_total{{model_name="{self.model}"}} {self.cached * self.served}\n'
            f'vllm:prefix_cache_queries_total{{model_name="{self.model}"}} {100 * self.served}\n'
        )

    @property
    def pod(self) -> Manifest:
        return {
            "metadata": {"name": self.name, "namespace": "n", "labels": dict(self.labels)},
            "spec": {"containers": []},
            "status": {"podIP": self.address, "conditions": [{"type": "Ready", "status": "True"}]},
        }


Reply = Callable[[str, Body, Mapping[str, str]], Answer | str]


@contextmanager
def serving(reply: Reply, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on this machine; its port. A reply that is a text is sent as such."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, body: Body) -> None:
            answer = reply(self.path, body, {key.lower(): value for key, value in self.headers.items()})
            status, document = (200, answer) if isinstance(answer, str) else answer
            content = (document if isinstance(document, str) else json.dumps(document)).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Nothing."""

    class Server(ThreadingHTTPServer):
        # The default queue of 5 connections resets further ones.
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class FakeCluster:
    """Lists the pods of engines by their labels, and finds the objects that it was given."""

    def __init__(self, engines: list[FakeEngine], objects: Mapping[tuple[str, str], Manifest] | None = None) -> None:
        self._engines, self._objects = engines, dict(objects or {})

    def serves(self, api_version: str, kind: str) -> bool:
        return bool(api_version and kind)

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest | None:
        del api_version, namespace
        return self._objects.get((kind, name))

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
    ) -> list[Manifest]:
        del api_version, namespace, fields
        if kind != "Pod":
            return [item for (kind_, _), item in self._objects.items() if kind_ == kind]
        selector = dict(label.split("=", 1) for label in (labels or "").split(",") if label)
        return [engine.pod for engine in self._engines if selector.items() <= dict(engine.labels).items()]


class FakePods:
    def __init__(self, engines: list[FakeEngine]) -> None:
        self._ports = {engine.name: engine.port for engine in engines}

    def address(self, pod: Manifest, port: int) -> str:
        del port
        return f"127.0.0.1:{self._ports[pod['metadata']['name']]}"

    def log(self, pod: Manifest, container: str, *, previous: bool = False) -> str:
        del pod, container, previous
        return ""


Choose = Callable[[Body], Answer]


@contextmanager
def context_of(
    stack: str,
    engines: Callable[[Any], list[FakeEngine]],
    gateway: Callable[[list[FakeEngine]], Choose],
    *,
    changes: Mapping[str, Any] | None = None,
    lists: Any = None,
    objects: Mapping[tuple[str, str], Manifest] | None = None,
    planned: list[Manifest] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[CheckContext]:
    """A context over a stack's plan. `engines` builds its servers, `gateway` what the Gateway does with a request."""
    from contextlib import ExitStack

    plan = plan_of(stack, changes)
    engines_made = engines(plan)
    with ExitStack() as servers:
        for engine in engines_made:
            engine.port = servers.enter_context(serving(_of_engine(engine)))
        choose = gateway(engines_made)

        def answer(path: str, body: Body, _headers: Mapping[str, str]) -> Answer | str:
            if path == "/v1/models":
                return 200, {"data": [{"id": name} for name in lists or [model.served_name for model in plan.models]]}
            return choose(body)

        port = servers.enter_context(serving(answer, tls))
        url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
        done: Future[list[dict[str, Any]]] = Future()
        done.set_result(planned or [])
        live = LiveStack(
            name=stack,
            target="gke",
            looked_at="a stack of a test",
            config=StackConfig(values={f"llm-d:{key}": value for key, value in values_of(stack, changes).items()}),
            plan=plan,
            cluster=FakeCluster(engines_made, objects),
            pods=FakePods(engines_made),
            endpoint=Endpoint(url=url, host="127.0.0.1", trusted=tls is None),
        )
        ctx = CheckContext(
            live=live,
            gateway=httpx.Client(base_url=url, trust_env=False),
            planned=done,
            patience=0.0,
            requests=20,
        )
        servers.callback(ctx.close)
        yield ctx


def _of_engine(engine: FakeEngine) -> Reply:
    def reply(path: str, body: Body, headers: Mapping[str, str]) -> Answer | str:
        if path != "/metrics":
            return engine.reply(body, headers)
        is_allowed = not engine.token or headers.get("authorization") == f"Bearer {engine.token}"
        return engine.metrics if is_allowed else (401, {})

    return reply
