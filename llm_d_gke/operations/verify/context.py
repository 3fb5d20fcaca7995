"""Common context of checks: the running stack, a client of its endpoint, and counters of its pods."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from llm_d_gke.metrics_text import total
from llm_d_gke.operations.live_stack.stack import Endpoint, LiveStack, Manifest, is_ready
from llm_d_gke.planning.plan.serving import ModelServerPlan
from llm_d_gke.planning.plan.stack import ModelPlan
from llm_d_gke.planning.setting_errors.values import flow

REQUEST_SECONDS = 120.0
# The same once a request got no answer: without a replica, each would wait in the picker's queue (picker.flowControl).
_IMPATIENT_SECONDS = 5.0
# Requests of a check that are in flight at once, at most.
CLIENTS = 16

_SERVED = "vllm:request_prompt_tokens_count"
# Releases of vLLM and of the simulator write it with and without the suffix of counters.
_CACHED = ("vllm:prefix_cache_hits_total", "vllm:prefix_cache_hits")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer. `document` is its JSON, empty where it is none; `pieces` are the events of a stream."""

    status: int
    document: Mapping[str, Any]
    text: str
    seconds: float
    pieces: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        return str(self.document.get("model", ""))

    @property
    def content(self) -> str:
        """The text of the first choice, of a chat or a completion."""
        choices = self.document.get("choices") or [{}]
        return str((choices[0].get("message") or {}).get("content") or choices[0].get("text") or "")

    @property
    def usage(self) -> Mapping[str, Any]:
        return self.document.get("usage") or {}

    @property
    def cached_tokens(self) -> int | None:
        """Prompt tokens served from a cache. None if the engine does not report them."""
        details = self.usage.get("prompt_tokens_details")
        return None if details is None else int(details.get("cached_tokens") or 0)

    @property
    def summary(self) -> str:
        return f"HTTP {self.status}: {self.text[:160]!r}"


class LimitedError(Exception):
    """The stack's own limits refused a request of a check, so that the check says nothing about the stack."""


@dataclass(frozen=True, kw_only=True)
class Replica:
    """A serving port of a pod: a replica, or a data-parallel rank."""

    pod: Manifest
    port: int
    model: ModelPlan
    server: ModelServerPlan

    @property
    def name(self) -> str:
        name = str(self.pod["metadata"]["name"])
        return name if len(self.server.serving_ports) == 1 else f"{name}:{self.port}"


@dataclass
class CheckContext:
    """The running stack and what earlier checks established about it."""

    live: LiveStack
    gateway: httpx.Client | None
    # The planned objects, recorded in parallel in a separate process; None where no check compares them.
    planned: Future[list[dict[str, Any]]] | None
    patience: float
    requests: int
    pods_client: httpx.Client = field(
        # Servers inside the cluster have certificates for names that do not resolve here.
        default_factory=lambda: httpx.Client(timeout=REQUEST_SECONDS, trust_env=False, verify=False)  # noqa: S501
    )
    # Whether the endpoint gave a request no answer.
    silent: bool = False

    def close(self) -> None:
        self.pods_client.close()
        if self.gateway is not None:
            self.gateway.close()

    # -- the endpoint

    def get(self, path: str) -> Reply:
        return self._send("GET", path, None)

    def get_without_credentials(self, path: str) -> Reply:
        """Send a request without key, token or further headers."""
        endpoint = self._listening()
        began = time.monotonic()
        with httpx.Client(timeout=REQUEST_SECONDS, trust_env=False, verify=False) as client:  # noqa: S501
            url, extensions = f"{endpoint.url}{path}", {"sni_hostname": endpoint.host}
            response = client.get(url, headers={"Host": endpoint.host}, extensions=extensions)
        return self._reply(response, began)

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        return self._send("POST", path, body)

    def chat(self, model: str, prompt: str, **further: Any) -> Reply:
        return self.post("/v1/chat/completions", chat_body(model, prompt, **further))

    def chat_all(self, requests: list[tuple[str, str]], **further: Any) -> list[Reply]:
        """Replies to (model, prompt) in their order, several at once. A broken connection is a reply with status 0."""

        def ask(request: tuple[str, str]) -> Reply:
            try:
                return self.chat(*request, **further)
            except httpx.HTTPError as error:
                return Reply(status=0, document={}, text=str(error) or type(error).__name__, seconds=0.0)

        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(ask, requests))

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> Reply:
        endpoint = self._listening()
        assert self.gateway is not None, "there is one for every endpoint"
        began, seconds = time.monotonic(), _IMPATIENT_SECONDS if self.silent else REQUEST_SECONDS
        try:
            response = self.gateway.request(
                method, path, json=body, extensions={"sni_hostname": endpoint.host}, timeout=seconds
            )
        except httpx.ReadTimeout as error:
            self.silent = True
            raise httpx.ReadTimeout(f"no answer within {seconds:g} s") from error
        return self._reply(response, began)

    def _listening(self) -> Endpoint:
        if self.live.endpoint is None:
            raise httpx.ConnectError("no Gateway answers for this stack")
        return self.live.endpoint

    def _reply(self, response: httpx.Response, began: float) -> Reply:
        """The reply. Raises LimitedError where the Gateway's limits refused the request."""
        limits = (self.live.config.settings().get("gateway") or {}).get("limits")
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS and limits:
            raise LimitedError(f"gateway.limits ({flow(limits)}) refused a request of the check: HTTP 429")
        return reply_of(response, time.monotonic() - began)

    # -- single pods

    def replicas(self, model: ModelPlan, *, roles: tuple[str, ...] = ("both", "decode", "prefill")) -> list[Replica]:
        """Serving ports of a model's ready pods."""
        return [
            Replica(pod=pod, port=port.number, model=model, server=server)
            for server in model.servers
            if server.role in roles
            for pod in self.live.pods_of(server.serving_selector)
            if is_ready(pod)
            for port in server.serving_ports
        ]

    def url(self, replica: Replica) -> str:
        return f"{replica.server.protocol}://{self.live.pods.address(replica.pod, replica.port)}"

    def ask_replica(self, replica: Replica, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply:
        """Send a chat request to a replica past the Gateway."""
        began = time.monotonic()
        response = self.pods_client.post(f"{self.url(replica)}/v1/chat/completions", json=body, headers=headers)
        return reply_of(response, time.monotonic() - began)

    def metrics(self, replica: Replica) -> str:
        response = self.pods_client.get(f"{self.url(replica)}/metrics")
        response.raise_for_status()
        return response.text

    def served(self, replicas: list[Replica]) -> dict[str, int]:
        """Requests that each replica has computed since its start, by its name."""
        return {replica.name: int(total(self.metrics(replica), _SERVED)) for replica in replicas}

    def cached(self, replicas: list[Replica]) -> int:
        """Prefix cache hits of these replicas since their start, in tokens."""
        return int(sum(max(total(self.metrics(replica), name) for name in _CACHED) for replica in replicas))


def chat_body(model: str, prompt: str, *, max_tokens: int = 16, **further: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": model, "messages": messages, "max_tokens": max_tokens, **further}


def reply_of(response: httpx.Response, seconds: float) -> Reply:
    text = response.text
    pieces = tuple(line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: "))
    try:
        document = json.loads(pieces[0] if pieces else text)
    except ValueError:
        document = {}
    return Reply(
        status=response.status_code,
        document=document if isinstance(document, dict) else {},
        text=text,
        seconds=seconds,
        pieces=pieces,
    )


def risen(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Counters that increased, with the increase."""
    return {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
